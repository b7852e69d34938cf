//! The protocol's calls. Each one decodes, asks `plan`, and encodes.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use infra_schema::{Block, Nesting, Schema};
use rmpv::Value;
use tonic::{Request, Response, Status};

use crate::fake::Seed;
use crate::plan;
use crate::value::{decode, encode, from_json, get, has_unknown};

/// Generated from `proto/provider.proto`.
#[allow(
    clippy::all,
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    reason = "the generator decides how its code reads, and we use a part of the protocol"
)]
pub(crate) mod pb {
    tonic::include_proto!("tfplugin6");
}

#[derive(Debug)]
pub(crate) struct Stub {
    schema: Arc<Schema>,
    default_tags: Mutex<Vec<(String, String)>>,
}

impl Stub {
    pub(crate) fn new(schema: Arc<Schema>) -> Self {
        Self {
            schema,
            default_tags: Mutex::new(Vec::new()),
        }
    }

    fn resource(&self, kind: &str) -> Result<&Block> {
        self.schema
            .resources
            .get(kind)
            .with_context(|| format!("no resource called {kind}"))
    }

    fn default_tags(&self) -> Vec<(String, String)> {
        self.default_tags
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn remember_default_tags(&self, config: &[u8]) -> Result<()> {
        let config = decode(config)?;
        let tags = get(&config, "default_tags")
            .and_then(Value::as_array)
            .and_then(|blocks| blocks.first())
            .and_then(|block| get(block, "tags"))
            .and_then(Value::as_map);
        let tags = tags
            .into_iter()
            .flatten()
            .filter_map(|(key, text)| Some((key.as_str()?.to_owned(), text.as_str()?.to_owned())))
            .collect();
        *self
            .default_tags
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = tags;
        Ok(())
    }

    fn planned(&self, request: &pb::plan_resource_change::Request) -> Result<Planned> {
        let block = self.resource(&request.type_name)?;
        let prior = decode(bytes(&request.prior_state))?;
        let mut planned = decode(bytes(&request.proposed_new_state))?;
        if planned.is_nil() {
            return Ok((planned, Vec::new()));
        }
        plan::plan(block, prior.is_nil(), &mut planned);
        plan::merge_tags(&self.default_tags(), &mut planned);
        if prior.is_nil() {
            return Ok((planned, Vec::new()));
        }
        let replacing = plan::replacing(&self.schema, &request.type_name, &prior, &planned);
        Ok((planned, replacing.into_iter().map(str::to_owned).collect()))
    }

    fn applied(&self, request: &pb::apply_resource_change::Request) -> Result<Value> {
        let bytes = bytes(&request.planned_state);
        let mut value = decode(bytes)?;
        if !value.is_nil() && has_unknown(&value) {
            let seed = Seed::new(&request.type_name, bytes);
            plan::fill(self.resource(&request.type_name)?, &seed, &mut value);
        }
        Ok(value)
    }

    fn upgraded(&self, request: &pb::upgrade_resource_state::Request) -> Result<Value> {
        let raw = request
            .raw_state
            .as_ref()
            .map(|raw| raw.json.as_slice())
            .unwrap_or_default();
        from_json(&serde_json::from_slice(raw).context("reading the stored state")?)
    }

    fn read(&self, block: Option<&Block>, kind: &str, config: &[u8]) -> Result<Value> {
        let block = block.with_context(|| format!("nothing called {kind}"))?;
        let mut value = decode(config)?;
        plan::read(block, &Seed::new(kind, config), &mut value);
        Ok(value)
    }
}

type Planned = (Value, Vec<String>);
type Answer<T> = Result<Response<T>, Status>;

fn bytes(value: &Option<pb::DynamicValue>) -> &[u8] {
    value
        .as_ref()
        .map(|value| value.msgpack.as_slice())
        .unwrap_or_default()
}

fn wire(value: &Value) -> Result<Option<pb::DynamicValue>> {
    Ok(Some(pb::DynamicValue {
        msgpack: encode(value)?,
        json: Vec::new(),
    }))
}

/// A fault of the stub itself ends the call; it is never a finding about the configuration.
fn fault(error: anyhow::Error) -> Status {
    Status::internal(format!("{error:#}"))
}

fn block_message(block: &Block) -> Result<pb::schema::Block> {
    let attributes = block
        .attributes
        .iter()
        .map(|attribute| {
            Ok(pb::schema::Attribute {
                name: attribute.name.clone(),
                r#type: serde_json::to_vec(&attribute.kind)?,
                required: attribute.required,
                optional: attribute.optional,
                computed: attribute.computed,
                sensitive: attribute.sensitive,
                write_only: attribute.write_only,
            })
        })
        .collect::<Result<_>>()?;
    let block_types = block
        .blocks
        .iter()
        .map(|nested| {
            let nesting = match nested.nesting {
                Nesting::Single => pb::schema::nested_block::NestingMode::Single,
                Nesting::List => pb::schema::nested_block::NestingMode::List,
                Nesting::Set => pb::schema::nested_block::NestingMode::Set,
            };
            Ok(pb::schema::NestedBlock {
                type_name: nested.name.clone(),
                block: Some(block_message(&nested.block)?),
                nesting: nesting.into(),
                min_items: nested.min_items.into(),
                max_items: nested.max_items.into(),
            })
        })
        .collect::<Result<_>>()?;
    Ok(pb::schema::Block {
        version: 0,
        attributes,
        block_types,
    })
}

fn schema_message(block: &Block) -> Result<pb::Schema> {
    Ok(pb::Schema {
        version: 0,
        block: Some(block_message(block)?),
    })
}

fn schema_messages<'a>(
    blocks: impl IntoIterator<Item = (&'a String, &'a Block)>,
) -> Result<std::collections::HashMap<String, pb::Schema>> {
    blocks
        .into_iter()
        .map(|(name, block)| Ok((name.clone(), schema_message(block)?)))
        .collect()
}

#[tonic::async_trait]
impl pb::provider_server::Provider for Stub {
    async fn get_provider_schema(
        &self,
        _: Request<pb::get_provider_schema::Request>,
    ) -> Answer<pb::get_provider_schema::Response> {
        let answer = || -> Result<_> {
            Ok(pb::get_provider_schema::Response {
                provider: Some(schema_message(&self.schema.provider)?),
                resource_schemas: schema_messages(&self.schema.resources)?,
                data_source_schemas: schema_messages(&self.schema.data_sources)?,
                ephemeral_resource_schemas: schema_messages(&self.schema.ephemerals)?,
                diagnostics: Vec::new(),
            })
        };
        answer().map(Response::new).map_err(fault)
    }

    async fn validate_provider_config(
        &self,
        _: Request<pb::validate_provider_config::Request>,
    ) -> Answer<pb::validate_provider_config::Response> {
        Ok(Response::new(Default::default()))
    }

    async fn validate_resource_config(
        &self,
        _: Request<pb::validate_config::Request>,
    ) -> Answer<pb::validate_config::Response> {
        Ok(Response::new(Default::default()))
    }

    async fn validate_data_resource_config(
        &self,
        _: Request<pb::validate_config::Request>,
    ) -> Answer<pb::validate_config::Response> {
        Ok(Response::new(Default::default()))
    }

    async fn validate_ephemeral_resource_config(
        &self,
        _: Request<pb::validate_config::Request>,
    ) -> Answer<pb::validate_config::Response> {
        Ok(Response::new(Default::default()))
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<pb::upgrade_resource_state::Request>,
    ) -> Answer<pb::upgrade_resource_state::Response> {
        let value = self.upgraded(request.get_ref()).map_err(fault)?;
        let upgraded_state = wire(&value).map_err(fault)?;
        Ok(Response::new(pb::upgrade_resource_state::Response {
            upgraded_state,
            diagnostics: Vec::new(),
        }))
    }

    async fn configure_provider(
        &self,
        request: Request<pb::configure_provider::Request>,
    ) -> Answer<pb::configure_provider::Response> {
        self.remember_default_tags(bytes(&request.get_ref().config))
            .map_err(fault)?;
        Ok(Response::new(Default::default()))
    }

    async fn read_resource(
        &self,
        request: Request<pb::read_resource::Request>,
    ) -> Answer<pb::read_resource::Response> {
        let request = request.into_inner();
        Ok(Response::new(pb::read_resource::Response {
            new_state: request.current_state,
            diagnostics: Vec::new(),
            private: request.private,
        }))
    }

    async fn plan_resource_change(
        &self,
        request: Request<pb::plan_resource_change::Request>,
    ) -> Answer<pb::plan_resource_change::Response> {
        let (value, replacing) = self.planned(request.get_ref()).map_err(fault)?;
        let requires_replace = replacing
            .into_iter()
            .map(|name| pb::AttributePath {
                steps: vec![pb::attribute_path::Step {
                    selector: Some(pb::attribute_path::step::Selector::AttributeName(name)),
                }],
            })
            .collect();
        Ok(Response::new(pb::plan_resource_change::Response {
            planned_state: wire(&value).map_err(fault)?,
            requires_replace,
            planned_private: Vec::new(),
            diagnostics: Vec::new(),
            legacy_type_system: true,
        }))
    }

    async fn apply_resource_change(
        &self,
        request: Request<pb::apply_resource_change::Request>,
    ) -> Answer<pb::apply_resource_change::Response> {
        let value = self.applied(request.get_ref()).map_err(fault)?;
        Ok(Response::new(pb::apply_resource_change::Response {
            new_state: wire(&value).map_err(fault)?,
            private: Vec::new(),
            diagnostics: Vec::new(),
            legacy_type_system: true,
        }))
    }

    async fn read_data_source(
        &self,
        request: Request<pb::read_data_source::Request>,
    ) -> Answer<pb::read_data_source::Response> {
        let request = request.get_ref();
        let block = self.schema.data_sources.get(&request.type_name);
        let value = self
            .read(block, &request.type_name, bytes(&request.config))
            .map_err(fault)?;
        Ok(Response::new(pb::read_data_source::Response {
            state: wire(&value).map_err(fault)?,
            diagnostics: Vec::new(),
        }))
    }

    async fn open_ephemeral_resource(
        &self,
        request: Request<pb::open_ephemeral_resource::Request>,
    ) -> Answer<pb::open_ephemeral_resource::Response> {
        let request = request.get_ref();
        let block = self.schema.ephemerals.get(&request.type_name);
        let value = self
            .read(block, &request.type_name, bytes(&request.config))
            .map_err(fault)?;
        Ok(Response::new(pb::open_ephemeral_resource::Response {
            result: wire(&value).map_err(fault)?,
            diagnostics: Vec::new(),
            private: Vec::new(),
        }))
    }

    async fn close_ephemeral_resource(
        &self,
        _: Request<pb::close_ephemeral_resource::Request>,
    ) -> Answer<pb::close_ephemeral_resource::Response> {
        Ok(Response::new(Default::default()))
    }

    async fn stop_provider(
        &self,
        _: Request<pb::stop_provider::Request>,
    ) -> Answer<pb::stop_provider::Response> {
        Ok(Response::new(Default::default()))
    }
}
