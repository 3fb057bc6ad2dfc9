//! Conversations, piped through the program.

use std::fs;

use sensorium_tests::tiny::{TEMPLATE, Tiny};
use sensorium_tests::{stderr, stdout};
use serde_json::{Value, json};

const CHAT: [&str; 5] = ["chat", "-m", "tiny", "--max-new-tokens", "6"];

fn chat<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&CHAT, more].concat()
}

#[test]
fn each_line_is_answered_and_the_model_sees_what_was_said() {
    let tiny = Tiny::with_template(TEMPLATE);
    let output = tiny.run(
        &chat(&["--json", "--system", "Be short."]),
        b"Hello\n\nAnd now?\r\n",
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    let answers: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    let answers: Vec<&str> = answers
        .iter()
        .map(|answer| answer["generated_text"].as_str().expect("a text"))
        .collect();
    assert_eq!(answers.len(), 2, "{text}");

    // The same prompts by hand.
    let mut prompt = "s:Be short.\nu:Hello\na:".to_owned();
    for (answer, next) in answers.iter().zip(["\nu:And now?\na:", ""]) {
        let args = ["generate", "-m", "tiny", "--max-new-tokens", "6", "--json", "-"];
        let output = tiny.run(&args, prompt.as_bytes());
        let value: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
        prompt += answer;
        assert_eq!(value["generated_text"], prompt);
        prompt += next;
    }

    // As text, the answers alone.
    let plain = tiny.run(&chat(&["--system", "Be short."]), b"Hello\nAnd now?");
    assert_eq!(stdout(&plain), format!("{}\n{}\n", answers[0], answers[1]));
    assert_eq!(stderr(&plain), "");
}

#[test]
fn a_saved_conversation_goes_on_where_it_was() {
    let tiny = Tiny::with_template(TEMPLATE);
    let first = tiny.run(
        &chat(&["-q"]),
        b"/system Be short.\nHello\n/save talk.json\nAnd now?\n/exit\nnot read\n",
    );
    assert!(first.status.success(), "{}", stderr(&first));
    let saved = fs::read(tiny.beside("talk.json")).expect("the conversation");
    let saved: Value = serde_json::from_slice(&saved).expect("JSON");
    assert_eq!(saved["model"], "tiny");
    assert_eq!(
        saved["messages"][0],
        json!({"role": "system", "content": "Be short."})
    );
    assert_eq!(saved["messages"][1], json!({"role": "user", "content": "Hello"}));
    assert_eq!(saved["messages"][2]["role"], "assistant");
    assert_eq!(saved["messages"].as_array().map(Vec::len), Some(3));

    let second = tiny.run(&chat(&["-q"]), b"/load talk.json\nAnd now?\n");
    let answers = stdout(&first);
    assert!(
        answers.ends_with(&stdout(&second)) && answers != stdout(&second),
        "{answers}"
    );

    // A new conversation knows nothing of it; the same answer comes again where nothing is drawn.
    let third = tiny.run(&chat(&["-q"]), b"/load talk.json\n/clear\nAnd now?\n/retry\n");
    let fresh = tiny.run(&chat(&["-q", "--system", "Be short."]), b"And now?\n/retry\n");
    assert_eq!(stdout(&third), stdout(&fresh));
}

#[test]
fn retry_draws_another_answer_and_the_seed_decides_which() {
    let tiny = Tiny::with_template(TEMPLATE);
    let args = chat(&["-q", "--json", "--sample", "--seed", "3"]);
    let run = || stdout(&tiny.run(&args, b"Hello\n/retry\n/save talk.json\n"));
    let text = run();
    let answers: Vec<&str> = text.lines().collect();
    assert!(answers.len() == 2 && answers[0] != answers[1], "{text}");
    assert_eq!(text, run());
    let saved: Value =
        serde_json::from_slice(&fs::read(tiny.beside("talk.json")).expect("saved")).expect("JSON");
    let last: Value = serde_json::from_str(answers[1]).expect("JSON");
    assert_eq!(saved["messages"][1]["content"], last["generated_text"]);
    assert_eq!(saved["messages"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_long_conversation_loses_its_beginning_and_says_so() {
    let tiny = Tiny::with_template(TEMPLATE);
    let lines = "Where is the old map of the harbour?\n".repeat(9);
    let output = tiny.run(&chat(&[]), format!("{lines}/save talk.json\n").as_bytes());
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(
        said.contains("note: the conversation has outgrown the model's 128 tokens"),
        "{said}"
    );
    assert!(said.contains("18 messages saved in talk.json"), "{said}");

    // A message that is too long by itself is refused, and the conversation goes on without it.
    let long = "stairs ".repeat(100);
    let output = tiny.run(&chat(&[]), format!("Hello\n{long}\n/save talk.json\n").as_bytes());
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains("error: the message is too long: with the chat template it has "),
        "{said}"
    );
    assert!(
        said.contains("the model takes 128") && said.contains("2 messages saved"),
        "{said}"
    );
}

#[test]
fn a_mistake_is_told_and_the_rest_is_answered() {
    let tiny = Tiny::with_template(TEMPLATE);
    fs::write(tiny.beside("other.json"), "[1, 2]").expect("a file");
    let lines = b"/retyr\n/load none.json\n/load other.json\n/retry\n/save\n/save no/where.json\nHello\n";
    let output = tiny.run(&chat(&[]), lines);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for expected in [
        "error: there is no command /retyr (did you mean /retry?); /help lists them",
        "error: cannot read none.json: ",
        "error: other.json is no conversation: ",
        "error: there is no message to answer again",
        "error: /save needs the name of a file",
        "error: cannot write no/where.json",
    ] {
        assert!(said.contains(expected), "no `{expected}` in: {said}");
    }
    assert_eq!(said.lines().count(), 6, "{said}");
    assert_eq!(stdout(&output).lines().count(), 1);

    let output = tiny.run(&CHAT, b"Hello\nab\xff\n");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "error: line 2 of standard input is not UTF-8: the byte at 2 begins no character\n"
    );
}

#[test]
fn what_cannot_chat_is_refused_before_anything_is_said() {
    let refuses = |template: &str, more: &[&str], expected: &[&str]| {
        Tiny::with_template(template).refuses(&chat(more), b"Hello\n", expected);
    };
    Tiny::new().refuses(
        &CHAT,
        b"Hello\n",
        &["tiny has no chat template: it was not trained on chats; `sensorium generate`"],
    );
    refuses(
        "{% for m in messages %}",
        &[],
        &["cannot chat with tiny: chat template `default`"],
    );
    refuses(
        "{{ nothing.at.all }}",
        &[],
        &["cannot chat with tiny: chat template `default`"],
    );
    refuses(
        "{% for i in range(1000000000) %}{% endfor %}",
        &[],
        &["chat template `default`"],
    );
    refuses(
        "{% if messages[0].role == 'system' %}{{ raise_exception('No system, please') }}{% endif %}hi",
        &["--system", "Be short."],
        &["chat template `default` refuses the messages: No system, please"],
    );
    refuses(
        TEMPLATE,
        &["--template", "tools"],
        &["no chat template `tools`; there are default"],
    );
    refuses(TEMPLATE, &["--num-beams", "0"], &["`num_beams` is 0"]);
}
