//! What a reader sends to its gate: everything comes back as it was, and nothing else is taken.

use ipp_proxy::message::{Address, Decision, Length, split};

fn decisions() -> Vec<Decision> {
    let header = |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
    vec![
        Decision::default(),
        Decision { length: Length::Unknown, headers: vec![header("x-a", None)] },
        Decision {
            length: Length::Exact(u64::MAX),
            headers: vec![
                header("x-a", Some(b"")),
                header("x-b", Some("é\u{80}".as_bytes())),
                header("x-a", None),
            ],
        },
        Decision { length: Length::Kept, headers: vec![header("x-a", Some(&[b'x'; 8192])); 100] },
    ]
}

#[test]
fn what_is_sent_arrives() {
    for decision in decisions() {
        let bytes = decision.encode().expect("it can be sent");
        assert_eq!(Decision::decode(&bytes), Some(decision.clone()));
        let item = decision.to(7).expect("it can be sent");
        assert_eq!(split(&item), Some((7, bytes.as_slice())));
    }
    let address = Address { queue: u32::MAX, context: 1 };
    assert_eq!(Address::decode(&address.encode()), Some(address));
}

#[test]
fn what_a_gate_would_not_take_is_not_sent() {
    let with = |headers: Vec<(&str, Option<Vec<u8>>)>| {
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Decision { length: Length::Kept, headers }.encode()
    };
    assert!(with(vec![("x-a", Some(b"a".to_vec()))]).is_some());
    for name in ["", "X-A", "x a", ":path", "x-\u{e9}", "x\r\nx", &"x".repeat(1025)] {
        assert_eq!(with(vec![(name, Some(b"a".to_vec()))]), None, "{name:?}");
    }
    for value in [b"a\r\nb".to_vec(), b"\0".to_vec(), vec![b'x'; 8193]] {
        assert_eq!(with(vec![("x-a", Some(value))]), None);
    }
    assert_eq!(with(vec![("x-a", None); 1025]), None);
    assert_eq!(with(vec![("x-a", Some(vec![b'x'; 8192])); 200]), None, "more than a mebibyte");
}

/// Every cut, every changed byte and every byte more: it is read as something that could have been sent, or not at all.
#[test]
fn nothing_else_is_read_and_nothing_panics() {
    let mut read = 0;
    for decision in &decisions()[..3] {
        let bytes = decision.encode().expect("it can be sent");
        for length in 0..bytes.len() {
            assert_eq!(Decision::decode(&bytes[..length]), None);
        }
        assert_eq!(Decision::decode(&[&bytes[..], b"x"].concat()), None);
        for at in 0..bytes.len() {
            for value in 0..=255 {
                let mut changed = bytes.clone();
                changed[at] = value;
                if let Some(other) = Decision::decode(&changed) {
                    assert_eq!(other.encode().as_deref(), Some(changed.as_slice()));
                    read += 1;
                }
            }
        }
    }
    assert!(read > 0);
    for length in 0..12 {
        assert_eq!(Address::decode(&vec![1; length]).is_some(), length == 8);
        assert_eq!(split(&vec![1; length]).is_some(), length >= 4);
    }
    // A length that is a lie costs no memory.
    assert_eq!(Decision::decode(&[1, 0, 255, 255, 255, 255]), None);
    assert_eq!(Decision::decode(&[1, 0, 1, 0, 0, 0, 255, 255, 255, 255]), None);
}
