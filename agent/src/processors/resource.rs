//! Edits the attributes of resources.
