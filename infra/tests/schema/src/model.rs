//! The schema as the stub serves it, and the corrections made by hand.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything the stub answers when it is asked for its schema.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Schema {
    pub provider: Block,
    pub resources: BTreeMap<String, Block>,
    pub data_sources: BTreeMap<String, Block>,
    pub ephemerals: BTreeMap<String, Block>,
    /// Resource type to the arguments whose change replaces it, as far as it is written by hand.
    #[serde(default)]
    pub replaced_by: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Block {
    pub attributes: Vec<Attribute>,
    pub blocks: Vec<NestedBlock>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attribute {
    pub name: String,
    /// The type in the plugin protocol's JSON notation, for example `["list","string"]`.
    #[serde(rename = "type")]
    pub kind: Value,
    pub required: bool,
    pub optional: bool,
    pub computed: bool,
    #[serde(default)]
    pub sensitive: bool,
    #[serde(default)]
    pub write_only: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NestedBlock {
    pub name: String,
    pub nesting: Nesting,
    pub min_items: u32,
    /// 0 means no limit.
    pub max_items: u32,
    pub block: Block,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nesting {
    Single,
    List,
    Set,
}

/// What the bindings lose and the provider's documentation tells.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patches {
    /// Resource type to argument names that never show in output.
    pub sensitive: BTreeMap<String, Vec<String>>,
    /// Resource type to arguments that force a replacement.
    pub replaced_by: BTreeMap<String, Vec<String>>,
    /// Resource type to `block path` to the whole block, where the bindings cut a recursion short.
    pub blocks: BTreeMap<String, BTreeMap<String, NestedBlock>>,
}

impl Patches {
    pub(crate) fn apply(&self, schema: &mut Schema) -> Result<()> {
        for (name, arguments) in &self.sensitive {
            let Some(block) = schema.resources.get_mut(name) else {
                continue;
            };
            for argument in arguments {
                block
                    .attributes
                    .iter_mut()
                    .find(|attribute| attribute.name == *argument)
                    .with_context(|| {
                        format!("patch names {name}.{argument}, which does not exist")
                    })?
                    .sensitive = true;
            }
        }
        for (name, blocks) in &self.blocks {
            let Some(root) = schema.resources.get_mut(name) else {
                continue;
            };
            for (path, patch) in blocks {
                let parent = descend(root, path)
                    .with_context(|| format!("patch names {name}.{path}, which does not exist"))?;
                parent
                    .attributes
                    .retain(|attribute| attribute.name != patch.name);
                parent.blocks.retain(|block| block.name != patch.name);
                parent.blocks.push(patch.clone());
            }
        }
        schema.replaced_by = self.replaced_by.clone();
        Ok(())
    }
}

/// The block that holds the last name of a dotted path.
fn descend<'a>(root: &'a mut Block, path: &str) -> Option<&'a mut Block> {
    let mut names: Vec<&str> = path.split('.').collect();
    names.pop()?;
    let mut here = root;
    for name in names {
        here = &mut here
            .blocks
            .iter_mut()
            .find(|block| block.name == name)?
            .block;
    }
    Some(here)
}
