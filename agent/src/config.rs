//! What the user wrote, turned into what the program may rely on.
//!
//! The only reader of the environment.

pub(crate) mod values;

/// What a config struct checks beyond the types of its fields, once, before anything starts.
pub(crate) trait Check {
    /// # Errors
    /// The first thing that cannot work, with the key it is about.
    fn check(&self) -> Result<(), Problem>;
}

/// A mistake in one component's options. The config layer adds file, line and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Keys from the component's body down to the value, joined by `::`; empty for the body itself.
    pub(crate) key_path: String,
    /// Lower case, no full stop: what is wrong.
    pub(crate) message: String,
    /// What to write instead; may be empty.
    pub(crate) hint: String,
}

impl Problem {
    /// A problem at `key_path` inside the component.
    pub(crate) fn at(
        key_path: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            key_path: key_path.into(),
            message: message.into(),
            hint: hint.into(),
        }
    }
}
