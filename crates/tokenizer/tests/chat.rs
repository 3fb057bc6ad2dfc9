//! Chat templates: the language, several templates, and what goes wrong.
//!
//! `chat.json` holds templates with the text that transformers 5.23 makes of them.

use std::fs;
use std::path::{Path, PathBuf};

use sensorium_hub::Model;
use sensorium_tokenizer::{ChatError, ChatMessage, ChatOptions, Tokenizer};
use serde_json::{Value, json};
use tempfile::TempDir;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// A small tokenizer with these files in place of its chat template.
fn with_files(files: &[(&str, &str)]) -> (TempDir, Tokenizer) {
    let folder = tempfile::tempdir().unwrap();
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        fs::copy(
            tests().join("parity/qwen2-text-generation").join(file),
            folder.path().join(file),
        )
        .unwrap();
    }
    for (file, content) in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let tokenizer = Tokenizer::open(&Model::in_folder("chat", folder.path())).unwrap();
    (folder, tokenizer)
}

fn with_template(template: &str) -> Tokenizer {
    with_files(&[("chat_template.jinja", template)]).1
}

#[test]
fn templates_give_what_transformers_gives() {
    let cases: Vec<Value> = serde_json::from_slice(&fs::read(tests().join("chat.json")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let tokenizer = with_template(case["template"].as_str().unwrap());
        let options = ChatOptions {
            add_generation_prompt: true,
            tools: Some(case["tools"].clone()),
            variables: json!({"bos_token": "<s>", "eos_token": "</s>"})
                .as_object()
                .unwrap()
                .clone(),
            ..ChatOptions::default()
        };
        let found = tokenizer.chat(case["messages"].as_array().unwrap(), &options);
        let expected = case["text"].as_str().unwrap();
        if !found.as_ref().is_ok_and(|text| text == expected) {
            wrong.push(format!(
                "{}\n  expected {expected:?}\n  found    {found:?}",
                case["name"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn several_templates_are_chosen_by_name_and_by_need() {
    let (_folder, tokenizer) = with_files(&[
        ("chat_template.jinja", "plain"),
        ("additional_chat_templates/tool_use.jinja", "tools"),
        (
            "additional_chat_templates/rag.jinja",
            "rag {{ documents[0].title }}",
        ),
    ]);
    assert_eq!(tokenizer.chat_templates(), ["default", "rag", "tool_use"]);
    let messages = [ChatMessage::user("Hello")];
    let text = |options| tokenizer.chat(&messages, &options);
    assert_eq!(text(ChatOptions::default()).unwrap(), "plain");
    let tools = ChatOptions {
        tools: Some(json!([])),
        ..ChatOptions::default()
    };
    assert_eq!(text(tools).unwrap(), "tools");
    let rag = ChatOptions {
        template: Some("rag".to_string()),
        documents: Some(json!([{"title": "T", "text": ""}])),
        ..ChatOptions::default()
    };
    assert_eq!(text(rag).unwrap(), "rag T");
    let unknown = ChatOptions {
        template: Some("x".to_string()),
        ..ChatOptions::default()
    };
    let error = text(unknown).unwrap_err().to_string();
    assert_eq!(
        error,
        "the model has no chat template `x`; there are default, rag, tool_use"
    );
}

#[test]
fn templates_are_also_found_in_older_places() {
    let messages = [ChatMessage::user("Hello")];
    let (_folder, tokenizer) = with_files(&[("chat_template.json", r#"{"chat_template": "old"}"#)]);
    assert_eq!(tokenizer.chat(&messages, &ChatOptions::default()).unwrap(), "old");
    let config = r#"{"chat_template": [{"name": "a", "template": "A"}, {"name": "b", "template": "B"}]}"#;
    let (_folder, tokenizer) = with_files(&[("tokenizer_config.json", config)]);
    let error = tokenizer.chat(&messages, &ChatOptions::default()).unwrap_err();
    assert!(matches!(error, ChatError::NoDefault { .. }), "{error}");
    let (_folder, tokenizer) = with_files(&[]);
    let error = tokenizer.chat(&messages, &ChatOptions::default()).unwrap_err();
    assert!(matches!(error, ChatError::NoTemplate), "{error}");
}

#[test]
fn errors_name_the_template_the_line_and_the_cause() {
    let messages = [ChatMessage::user("Hello")];
    let error = |template: &str| {
        with_template(template)
            .chat(&messages, &ChatOptions::default())
            .unwrap_err()
    };
    let refused = error("\n{{ raise_exception('roles must alternate: ' ~ messages[0].role) }}");
    assert_eq!(
        refused.to_string(),
        "chat template `default` refuses the messages: roles must alternate: user"
    );
    for (template, line) in [("a\nb\n{{ x | nope }}", 3), ("{% if %}", 1), ("\n{{ a.b.c }}", 2)] {
        match error(template) {
            ChatError::Template { line: found, .. } => assert_eq!(found, Some(line), "{template}"),
            other => panic!("{template}: {other}"),
        }
    }
    let endless = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}";
    assert!(matches!(error(endless), ChatError::Template { .. }));
}

#[test]
fn the_last_message_can_be_gone_on_with() {
    let tokenizer = with_template("{% for m in messages %}[{{ m.content | trim }}]{% endfor %}");
    let messages = [ChatMessage::user("Who?"), ChatMessage::assistant("The cook ")];
    let options = ChatOptions {
        continue_final_message: true,
        ..ChatOptions::default()
    };
    assert_eq!(tokenizer.chat(&messages, &options).unwrap(), "[Who?][The cook");
    let both = ChatOptions {
        add_generation_prompt: true,
        ..options
    };
    assert!(tokenizer.chat(&messages, &both).is_err());
}

#[test]
fn the_time_can_be_written() {
    let messages = [ChatMessage::user("Hello")];
    let text = with_template("{{ strftime_now('%Y-%m-%d') }}")
        .chat(&messages, &ChatOptions::default())
        .unwrap();
    assert_eq!(text.len(), 10, "{text}");
    let bad = with_template("{{ strftime_now('%Q%') }}").chat(&messages, &ChatOptions::default());
    assert!(bad.is_err());
}
