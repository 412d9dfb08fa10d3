//! Bodies that are made up: valid, of an exact size, and the same each time.

use super::value::quoted;

/// Turns of a conversation are about as long as people write.
const TURN: usize = 3000;

const OPEN: &str = r#"{"role":"user","content":""#;
const CLOSE: &str = r#""}"#;
const SENTENCES: [&str; 5] = [
    "Please summarise the following document, and be brief. ",
    "The \\\"quick\\\" brown fox jumps over the lazy dog.\\n\\n",
    "What does the café on the corner of the street serve? ",
    "Answer in three sentences: why is the sky blue? ",
    "A {brace}, a [bracket] and \\\"model\\\": \\\"inside of text\\\". ",
];

/// A chat completion request of exactly this many bytes.
///
/// # Errors
/// The smallest one that there is, if that is larger.
pub(super) fn chat(bytes: usize, model_first: bool, model: &str) -> Result<Vec<u8>, usize> {
    let model = format!(r#""model":{}"#, quoted(model));
    let (head, tail) = match model_first {
        true => (format!(r#"{{{model},"messages":["#), "]}".to_owned()),
        false => (r#"{"messages":["#.to_owned(), format!(r#"],{model}}}"#)),
    };
    let smallest = head.len() + OPEN.len() + CLOSE.len() + tail.len();
    let mut room = bytes.checked_sub(smallest).ok_or(smallest)?;
    let mut body = head;
    loop {
        let another = TURN + 1 + OPEN.len() + CLOSE.len();
        let length = if room > another + TURN { TURN } else { room };
        body.push_str(OPEN);
        fill(&mut body, length);
        body.push_str(CLOSE);
        room -= length;
        if room == 0 {
            break;
        }
        body.push(',');
        room -= 1 + OPEN.len() + CLOSE.len();
    }
    Ok((body + &tail).into_bytes())
}

/// So many bytes of escaped text.
fn fill(body: &mut String, bytes: usize) {
    let end = body.len() + bytes;
    for sentence in SENTENCES.iter().cycle() {
        if body.len() + sentence.len() > end {
            break;
        }
        body.push_str(sentence);
    }
    body.extend(std::iter::repeat_n('.', end - body.len()));
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_size_is_exact() {
        for first in [true, false] {
            for size in (50..400).chain([3000, 6060, 6061, 6062, 6100, 9100, 1 << 20]) {
                let Ok(body) = chat(size, first, "m") else {
                    assert!(size < 55, "{size}");
                    continue;
                };
                assert_eq!(body.len(), size);
                let json: Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(json["model"], "m");
                assert_eq!(body.starts_with(b"{\"model\""), first);
            }
        }
    }

    #[test]
    fn what_is_too_small_says_how_much_it_takes() {
        assert_eq!(chat(10, true, "m"), Err(55));
        assert_eq!(chat(55, true, "m").unwrap().len(), 55);
    }
}
