//! Stop strings and text as it is written.

mod support;

use proptest::prelude::*;
use sensorium_generation::{Error, Finish, Options, Prompt, TextStream, generate};
use serde_json::json;
use support::{Toy, config};

/// Pieces of text that split characters and words.
const PIECES: &[&[u8]] = &[
    b"a",
    b"b",
    b" ",
    b"ab",
    b"b a",
    b"\xe2",
    b"\x82",
    b"\xac",
    b"\xe2\x82",
    b"\xac ",
    b"\xf0\x9f",
    b"\x98\x80",
    b"",
    b"\xc3",
    b"\xa9b",
    "é".as_bytes(),
];

fn bytes(ids: &[i64]) -> Vec<u8> {
    ids.iter().flat_map(|&id| PIECES[id as usize]).copied().collect()
}

fn decode(ids: &[i64]) -> String {
    String::from_utf8_lossy(&bytes(ids)).into_owned()
}

fn ids() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(0..PIECES.len() as i64, 0..30)
}

fn stops() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[ab €é]{1,4}", 0..3)
}

/// Where the first stop string that is complete begins.
fn first_stop(text: &str, stops: &[String]) -> Option<usize> {
    let ends = |stop: &String| text.find(stop.as_str()).map(|at| at + stop.len());
    let end = stops.iter().filter_map(ends).min()?;
    stops
        .iter()
        .filter_map(|stop| text[..end].find(stop.as_str()))
        .min()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn pieces_make_up_the_text(ids in ids()) {
        let mut stream = TextStream::new(&decode, &[]);
        let mut text = String::new();
        for &id in &ids {
            text += &stream.push(id);
            prop_assert!(!text.ends_with('\u{fffd}'), "incomplete characters are held back");
        }
        text += &stream.finish();
        prop_assert_eq!(&text, &decode(&ids));
        prop_assert_eq!(stream.text(), text);
    }

    #[test]
    fn text_ends_before_a_stop_string(ids in ids(), stops in stops()) {
        // Whole characters, so that it does not matter where bytes were lost.
        let ids: Vec<i64> = ids.into_iter().filter(|&id| std::str::from_utf8(PIECES[id as usize]).is_ok()).collect();
        let mut stream = TextStream::new(&decode, &stops);
        let mut text = String::new();
        for &id in &ids {
            text += &stream.push(id);
            prop_assert!(first_stop(&text, &stops).is_none());
        }
        text += &stream.finish();
        let all = decode(&ids);
        // One token may complete several: then the text is cut at the first.
        match stream.stopped_by() {
            Some(_) => {
                let cut = stops.iter().filter_map(|stop| all.find(stop.as_str())).min().unwrap();
                prop_assert!(text.len() <= all.len() && all.starts_with(&text));
                prop_assert!(cut <= text.len() + 4);
                prop_assert!(stops.iter().any(|stop| all[text.len()..].starts_with(stop.as_str())));
            }
            None => {
                prop_assert_eq!(first_stop(&all, &stops), None);
                prop_assert_eq!(&text, &all);
            }
        }
    }

    #[test]
    fn generation_ends_with_a_stop_string(seed: u64, beams in 1..3usize, stops in stops()) {
        let letters = |ids: &[i64]| ids.iter().map(|&id| ["a", "b", " ", "ab", "ba"][id as usize]).collect::<String>();
        let prompt = Prompt::new(vec![vec![0], vec![1]]).unwrap();
        let settings = config(json!({"max_new_tokens": 12, "stop_strings": stops, "num_beams": beams}));
        let mut toy = Toy::new(seed, 5, prompt.padding());
        let options = Options { detokenizer: Some(&letters), ..Default::default() };
        for one in generate(&mut toy, &prompt, &settings, options).unwrap() {
            let (text, all) = (one.text.unwrap(), letters(&one.ids));
            match one.finish {
                Finish::StopString(stop) => {
                    prop_assert!(all[text.len()..].starts_with(&stop));
                    let before = letters(&one.ids[..one.ids.len() - 1]);
                    prop_assert!(first_stop(&before, &stops).is_none(), "not a token too many");
                }
                Finish::Length => {
                    prop_assert!(first_stop(&all, &stops).is_none());
                    prop_assert_eq!(text, all);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}

#[test]
fn a_character_may_take_several_tokens() {
    let mut stream = TextStream::new(&decode, &[]);
    let pieces: Vec<String> = [0, 10, 11, 5, 6, 7, 5, 0]
        .iter()
        .map(|&id| stream.push(id))
        .collect();
    assert_eq!(pieces, ["a", "", "😀", "", "", "€", "", "\u{fffd}a"]);
}

#[test]
fn stop_strings_need_something_to_decode_with() {
    let mut toy = Toy::new(1, 5, &[0]);
    let settings = config(json!({"stop_strings": "a"}));
    let error = generate(
        &mut toy,
        &Prompt::single(&[1]).unwrap(),
        &settings,
        Options::default(),
    )
    .unwrap_err();
    assert!(matches!(error, Error::NoDetokenizer));
}
