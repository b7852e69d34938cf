//! Values for what only AWS would know: the right type, plausible, and the same on every run.

use rmpv::Value;
use sha2::{Digest, Sha256};

use crate::value::{is_unknown, text_of, unknown};

/// The account, region and zones that every answer belongs to.
const ACCOUNT: &str = "123456789012";
const REGION: &str = "ap-northeast-2";
const ZONES: [&str; 4] = [
    "ap-northeast-2a",
    "ap-northeast-2b",
    "ap-northeast-2c",
    "ap-northeast-2d",
];

/// What the fakes of one object are derived from.
#[derive(Debug)]
pub(crate) struct Seed {
    kind: String,
    digest: String,
}

impl Seed {
    pub(crate) fn new(kind: &str, content: &[u8]) -> Self {
        let digest = Sha256::new()
            .chain_update(kind)
            .chain_update(content)
            .finalize();
        let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            kind: kind.to_owned(),
            digest,
        }
    }

    fn short(&self) -> &str {
        self.digest.get(..17).unwrap_or(&self.digest)
    }

    /// The last octet of an address, away from the ends of a range.
    fn octet(&self, name: &str) -> u8 {
        let sum = self
            .digest
            .bytes()
            .chain(name.bytes())
            .map(u32::from)
            .sum::<u32>();
        u8::try_from(sum % 200).unwrap_or_default() + 20
    }
}

/// Known neighbours that decide a computed value.
#[derive(Debug, Default)]
pub(crate) struct Context {
    name: Option<String>,
    inside: [Option<String>; 2],
}

impl Context {
    pub(crate) fn read(object: &Value) -> Self {
        let text = |name: &str| text_of(object, name).map(str::to_owned);
        Self {
            name: text("name").or_else(|| text("bucket")),
            inside: [text("tunnel1_inside_cidr"), text("tunnel2_inside_cidr")],
        }
    }
}

/// Replaces the unknowns in `slot`, however deep they lie.
pub(crate) fn fill(
    kind: &serde_json::Value,
    seed: &Seed,
    name: &str,
    context: &Context,
    slot: &mut Value,
) {
    if is_unknown(slot) {
        *slot = make(kind, seed, name, context);
        return;
    }
    match (slot, kind.get(1)) {
        (Value::Array(items), Some(inner)) => {
            for item in items {
                fill(inner, seed, name, context, item);
            }
        }
        (Value::Map(entries), Some(inner)) => {
            for (key, value) in entries {
                let field = key.as_str().unwrap_or_default().to_owned();
                let inner = inner.get(&field).unwrap_or(inner);
                fill(inner, seed, &field, context, value);
            }
        }
        _ => {}
    }
}

fn make(kind: &serde_json::Value, seed: &Seed, name: &str, context: &Context) -> Value {
    let collection = kind.get(0).and_then(serde_json::Value::as_str);
    let inner = kind.get(1);
    match (kind.as_str(), collection, inner) {
        (Some("string"), ..) => Value::from(text(seed, name, context)),
        (Some("number"), ..) => Value::from(1),
        (Some("bool"), ..) => Value::from(false),
        (_, Some("list" | "set"), Some(inner)) if name == "names" && inner == "string" => {
            Value::Array(ZONES.iter().map(|zone| Value::from(*zone)).collect())
        }
        // A list of computed objects (a cluster's certificate, a group's resources) is read by index.
        (_, Some("list"), Some(inner)) if inner.is_array() => {
            Value::Array(vec![make(inner, seed, name, context)])
        }
        (_, Some("list" | "set"), _) => Value::Array(Vec::new()),
        (_, Some("map"), _) => Value::Map(Vec::new()),
        (_, Some("object"), Some(fields)) => Value::Map(
            fields
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, kind)| (Value::from(key.as_str()), make(kind, seed, key, context)))
                .collect(),
        ),
        // An attribute of any type cannot be guessed; leaving it unknown makes the tools complain.
        _ => unknown(),
    }
}

fn text(seed: &Seed, name: &str, context: &Context) -> String {
    let short = seed.short();
    let service = seed.kind.trim_start_matches("aws_");
    let own = || context.name.clone().unwrap_or_else(|| short.to_owned());
    match name {
        "account_id" | "owner_id" | "registry_id" => ACCOUNT.to_owned(),
        "partition" => "aws".to_owned(),
        "region" => REGION.to_owned(),
        "availability_zone" => ZONES[0].to_owned(),
        "id" if seed.kind == "aws_s3_bucket" => own(),
        "id" if seed.kind == "aws_ami" => format!("ami-{short}"),
        "id" if seed.kind == "aws_instance" => format!("i-{short}"),
        "id" => format!("{}-{short}", service.replace('_', "-")),
        "tunnel1_address" => format!("203.0.113.{}", seed.octet("1")),
        "tunnel2_address" => format!("198.51.100.{}", seed.octet("2")),
        "tunnel1_vgw_inside_address" => inside(context, 0, 1),
        "tunnel1_cgw_inside_address" => inside(context, 0, 2),
        "tunnel2_vgw_inside_address" => inside(context, 1, 1),
        "tunnel2_cgw_inside_address" => inside(context, 1, 2),
        "public_ip" => format!("203.0.113.{}", seed.octet(name)),
        "dns_name" | "endpoint" | "public_dns" | "private_dns" => {
            format!("{short}.{REGION}.example")
        }
        "certificate_authority" | "data" => "c3R1Yg==".to_owned(),
        "repository_url" => format!("{ACCOUNT}.dkr.example/{}", own()),
        _ if name.ends_with("arn") || name == "arn" => {
            format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{}", own())
        }
        _ => format!("{}-{short}", name.replace('_', "-")),
    }
}

/// Address number `host` of a tunnel's inside range: 1 is AWS's side, 2 the customer's.
fn inside(context: &Context, tunnel: usize, host: u8) -> String {
    let parsed = context.inside[tunnel].as_deref().and_then(|cidr| {
        let (prefix, last) = cidr.split_once('/')?.0.rsplit_once('.')?;
        let last: u8 = last.parse().ok()?;
        Some(format!("{prefix}.{}", last.checked_add(host)?))
    });
    parsed.unwrap_or_else(|| format!("169.254.{tunnel}.{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filled(kind: serde_json::Value, name: &str) -> Value {
        let mut value = unknown();
        fill(
            &kind,
            &Seed::new("aws_vpc", b"x"),
            name,
            &Context::default(),
            &mut value,
        );
        value
    }

    #[test]
    fn the_same_object_gets_the_same_values() {
        assert_eq!(filled(json!("string"), "id"), filled(json!("string"), "id"));
    }

    #[test]
    fn a_computed_list_of_objects_can_be_read_by_index() {
        let value = filled(
            json!(["list", ["object", {"data": "string"}]]),
            "certificate_authority",
        );
        assert_eq!(value.as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn the_inside_addresses_follow_the_range() {
        let context = Context {
            name: None,
            inside: [Some("169.254.10.4/30".to_owned()), None],
        };
        assert_eq!(inside(&context, 0, 1), "169.254.10.5");
        assert_eq!(inside(&context, 0, 2), "169.254.10.6");
    }
}
