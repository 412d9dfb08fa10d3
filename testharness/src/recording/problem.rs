//! What is wrong with a recording: all of it at once, each with its place.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};

use super::document::{Node, Place};

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; 0 if it is about the file as a whole.
    pub line: usize,
    /// The column, from 1; 0 if it is about the file as a whole.
    pub column: usize,
    /// The place as a path: `exchanges[0].request.method`. Empty for the whole document.
    pub field: String,
    /// What was found and what was expected.
    pub message: String,
}

/// All that is wrong with a file, in the order of its lines. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The file.
    pub file: PathBuf,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            if at > 0 {
                out.write_str("\n")?;
            }
            write!(out, "{}:", self.file.display())?;
            if problem.line > 0 {
                write!(out, "{}:{}:", problem.line, problem.column)?;
            }
            if !problem.field.is_empty() {
                write!(out, " {}:", problem.field)?;
            }
            write!(out, " {}", problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Unreadable {}

impl Unreadable {
    /// The file as a whole.
    pub(crate) fn whole(file: &Path, message: impl Into<String>) -> Self {
        let problem = Problem { line: 0, column: 0, field: String::new(), message: message.into() };
        Self { file: file.to_owned(), problems: vec![problem] }
    }
}

/// Where problems go while a file is read.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    /// Something is wrong at a place.
    pub(super) fn add(&self, at: Place, field: &str, message: impl Into<String>) {
        let problem =
            Problem { line: at.line, column: at.column, field: field.to_owned(), message: message.into() };
        self.0.borrow_mut().push(problem);
    }

    /// A value is not what it has to be.
    pub(super) fn expected(&self, node: &Node, field: &str, what: &str) {
        self.add(node.start, field, format!("found {}, expected {what}", node.describe()));
    }

    /// The value, unless there were problems.
    pub(super) fn finish<T>(self, file: &Path, value: Option<T>) -> Result<T, Unreadable> {
        let mut problems = self.0.into_inner();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        match (value, problems.is_empty()) {
            (Some(value), true) => Ok(value),
            // Every reason to give up is reported before, so that there is always one.
            (None, true) => Err(Unreadable::whole(file, "it cannot be read")),
            (_, false) => Err(Unreadable { file: file.to_owned(), problems }),
        }
    }
}

/// `field.name`, or the name alone at the root.
pub(super) fn join(field: &str, name: &str) -> String {
    match (field.is_empty(), name.contains(['.', '[', ' ', '{'])) {
        (true, _) => name.to_owned(),
        (false, false) => format!("{field}.{name}"),
        (false, true) => format!("{field}[{name:?}]"),
    }
}

/// `; did you mean "..."?`, if something known is near enough to be a slip of the hand.
pub(super) fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .min()
        .filter(|(distance, _)| *distance < name.chars().count().min(name.chars().count() / 3 + 2))
        .map_or_else(String::new, |(_, near)| format!("; did you mean {near:?}?"))
}
