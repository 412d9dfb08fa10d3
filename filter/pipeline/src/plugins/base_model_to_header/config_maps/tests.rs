//! What becomes of the Kubernetes API's answers.
#![allow(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

use super::*;

fn answer<'a>(body: &'a str, previous: Option<&'a [u8]>) -> Answer<'a> {
    Answer { status: 200, content_type: "application/json", body: body.as_bytes(), previous }
}

fn object(namespace: &str, name: &str, created: &str, base: &str, adapters: &str) -> String {
    serde_json::json!({
        "metadata": {
            "namespace": namespace, "name": name, "creationTimestamp": created, "resourceVersion": "7",
            "labels": {"inference.llm-d.ai/ipp-managed": "true", "app": "x"},
            "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:data": {".": {}, "f:baseModel": {}}}}],
        },
        "data": {"baseModel": base, "adapters": adapters},
    })
    .to_string()
}

fn list(objects: &[String]) -> String {
    let items = objects.join(",");
    format!(
        r#"{{"kind":"ConfigMapList","apiVersion":"v1","metadata":{{"resourceVersion":"9"}},"items":[{items}]}}"#
    )
}

/// The problems, and what these names lead to.
fn lookup(body: &str, names: &[&str]) -> (Vec<String>, Vec<Option<String>>) {
    let condensed = condense(&answer(body, None)).unwrap();
    let models = Models::read(&condensed.bytes).unwrap();
    (condensed.problems, names.iter().map(|name| models.base_of(name).map(str::to_owned)).collect())
}

fn some(names: &[&str]) -> Vec<Option<String>> {
    names.iter().map(|name| (!name.is_empty()).then(|| (*name).to_owned())).collect()
}

#[test]
fn a_list_of_several_namespaces() {
    let body = list(&[
        object("a", "one", "2026-01-01T00:00:00Z", " llama ", "- food\n- cad\n"),
        object("b", "one", "2026-01-02T00:00:00Z", "qwen", "[sql]"),
        object("b", "two", "2026-01-03T00:00:00Z", "llama", ""),
    ]);
    let (problems, bases) = lookup(&body, &["llama", "food", "cad", "qwen", "sql", "other"]);
    assert_eq!(problems, [""; 0]);
    assert_eq!(bases, some(&["llama", "llama", "llama", "qwen", "qwen", ""]));
}

#[test]
fn only_labelled_objects_that_are_not_being_deleted_count() {
    let body = list(&[
        object("a", "one", "", "llama", "").replace(r#""true""#, r#""True""#),
        object("a", "two", "", "qwen", "").replace("inference.llm-d.ai/ipp-managed", "other"),
        object("a", "three", "", "phi", "").replace(r#""creationTimestamp""#, r#""deletionTimestamp""#),
        object("a", "four", "", "gemma", ""),
        r#"{"metadata":null,"data":null}"#.to_owned(),
        r#"{"metadata":{"labels":{"inference.llm-d.ai/ipp-managed":true},"name":5},"data":[]}"#.to_owned(),
        "7".to_owned(),
    ]);
    assert_eq!(lookup(&body, &["llama", "qwen", "phi", "gemma"]), (vec![], some(&["", "", "", "gemma"])));
}

#[test]
fn an_adapter_in_two_objects_belongs_to_the_older_one_and_is_reported() {
    let old = object("z", "old", "2026-01-01T00:00:00Z", "llama", "- sql");
    let new = object("a", "new", "2026-02-01T00:00:00Z", "qwen", "- sql");
    for body in [list(&[old.clone(), new.clone()]), list(&[new, old.clone()])] {
        let (problems, bases) = lookup(&body, &["sql", "llama", "qwen"]);
        let text = "the adapter \"sql\" stands in the ConfigMaps z/old and a/new; z/old has it, being older or first by name";
        assert_eq!(problems, [text]);
        assert_eq!(bases, some(&["llama", "llama", "qwen"]));
    }
    let same = object("a", "new", "2026-02-01T00:00:00Z", "llama", "- sql");
    assert_eq!(lookup(&list(&[old, same]), &["sql"]).0, [""; 0]);
}

#[test]
fn a_name_is_an_adapter_before_it_is_a_base_model() {
    let body = list(&[object("a", "one", "", "llama", ""), object("a", "two", "", "qwen", "- llama")]);
    let (problems, bases) = lookup(&body, &["llama"]);
    assert_eq!(bases, some(&["qwen"]));
    assert_eq!(problems.len(), 1);
}

#[test]
fn a_broken_object_keeps_what_it_said_before() {
    let good = list(&[object("a", "one", "", "llama", "- food"), object("a", "two", "", "qwen", "- sql")]);
    let before = condense(&answer(&good, None)).unwrap().bytes;
    let broken = list(&[object("a", "one", "", " ", "- food"), object("a", "two", "", "qwen", "a: [")]);
    let after = condense(&answer(&broken, Some(&before))).unwrap();
    assert_eq!(after.bytes, before);
    assert_eq!(after.problems.len(), 2, "{:?}", after.problems);
    assert_eq!(
        after.problems.first().map(String::as_str),
        Some("ConfigMap a/one: data.baseModel is missing or empty; what it said before stays in force")
    );
    let alone = condense(&answer(&broken, None)).unwrap();
    assert_eq!(alone.bytes, b"");
    assert!(alone.problems.iter().all(|problem| problem.ends_with("it is left out")), "{:?}", alone.problems);
}

#[test]
fn what_kubernetes_changes_by_itself_changes_nothing() {
    let objects = [object("a", "one", "", "llama", "- food"), object("a", "two", "", "qwen", "")];
    let [first, second] = &objects;
    let one = condense(&answer(&list(&objects), None)).unwrap().bytes;
    let body =
        list(&[second.clone(), first.clone()]).replace(r#""9""#, r#""10""#).replace(r#""7""#, r#""8""#);
    assert_eq!(condense(&answer(&body, None)).unwrap().bytes, one);
}

#[test]
fn one_config_map_as_json_or_yaml() {
    let json = object("a", "one", "", "llama", "- food").replacen('{', r#"{"kind":"ConfigMap","#, 1);
    let yaml = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: one, labels: {inference.llm-d.ai/ipp-managed: \"true\"}}
data:
  baseModel: llama
  adapters: |
    - food
";
    for body in [json.as_str(), yaml] {
        assert_eq!(lookup(body, &["food"]), (vec![], some(&["llama"])));
    }
    let list = format!("kind: List\nitems:\n- {}", yaml.trim_end().replace('\n', "\n  "));
    assert_eq!(lookup(&list, &["food"]), (vec![], some(&["llama"])));
}

#[test]
fn what_is_no_list_is_refused_with_a_reason() {
    for (body, why) in [
        (r#"{"kind":"Status","code":410}"#, r#"of kind "Status""#),
        (r#"{"kind":"ConfigMapList","metadata":{"continue":"abc"},"items":[]}"#, "one page of a longer one"),
        ("<html>busy</html>", "the document is"),
        ("", "the document is nothing"),
        ("[", "neither JSON nor YAML"),
        ("{", "is not JSON"),
        ("{}", "has no kind"),
    ] {
        let error = condense(&answer(body, None)).unwrap_err();
        assert!(error.contains(why), "{body}: {error}");
    }
    assert!(condense(&Answer { body: b"\xff", ..answer("", None) }).is_err());
    assert_eq!(condense(&answer(r#"{"kind":"ConfigMapList","items":null}"#, None)).unwrap().bytes, b"");
}

/// Arbitrary bytes, and a good document with some of its bytes changed.
#[test]
fn no_bytes_make_it_panic() {
    let good = list(&[object("a", "one", "2026-01-01T00:00:00Z", "llama", "- food\n- 'x'\n")]).into_bytes();
    let mut random = ipp_selector::SplitMix64::new(1);
    let mut next = move || ipp_selector::Rng::next_u64(&mut random);
    for round in 0..20_000_u32 {
        let mut bytes = good.clone();
        if round % 4 == 0 {
            bytes = (0..next() % 64).map(|_| next().to_le_bytes()[0]).collect();
        }
        for _ in 0..1 + next() % 4 {
            if let Some(at) = usize::try_from(next()).unwrap().checked_rem(bytes.len()) {
                bytes[at] = next().to_le_bytes()[0];
            }
        }
        let _ = Models::read(&bytes);
        if let Ok(condensed) = condense(&Answer { body: &bytes, previous: Some(&bytes), ..answer("", None) })
        {
            Models::read(&condensed.bytes).unwrap();
        }
    }
}
