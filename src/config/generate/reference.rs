//! All tables and keys of the configuration in the order of the types, taken from the JSON Schema.
//!
//! Used by the two writers beside it, so that both say the same.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::value::{Error, UnitDeserializer};
use serde::de::{Deserializer, Visitor};
use serde_json::Value as Json;

use crate::config as c;

/// One table: `server`, `providers.<name>`, `providers.<name>.keys`.
pub(super) struct Table {
    pub(super) path: String,
    pub(super) description: String,
    /// Written `[[path]]`: a list of tables.
    pub(super) repeated: bool,
    pub(super) keys: Vec<Key>,
}

/// One key of a table.
pub(super) struct Key {
    pub(super) name: String,
    /// What may be written, in words.
    pub(super) kind: String,
    /// The default, if there is one that can be written.
    pub(super) default: Option<Json>,
    pub(super) required: bool,
    pub(super) description: String,
}

/// The root table and all below it.
pub(super) fn tables(schema: &Json) -> Vec<Table> {
    let walk = Walk { schema, orders: orders() };
    let mut tables = Vec::new();
    walk.table("", schema, &mut tables);
    tables
}

/// Field names of a type in the order they are declared, which JSON objects do not keep.
fn fields_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // The error is certain: this deserializer has no values.
    drop(T::deserialize(FieldNames(&mut fields)));
    fields
}

/// Notes the fields that a type asks for, and gives it nothing.
struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        UnitDeserializer::<Error>::new().deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The fields of every type by its name in the schema.
fn orders() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("", fields_of::<c::Config>()),
        ("AccountConfig", fields_of::<c::AccountConfig>()),
        ("AdminConfig", fields_of::<c::AdminConfig>()),
        ("AutoConfig", fields_of::<c::AutoConfig>()),
        ("BreakerConfig", fields_of::<c::BreakerConfig>()),
        ("DataPolicy", fields_of::<c::DataPolicy>()),
        ("DefaultsConfig", fields_of::<c::DefaultsConfig>()),
        ("EndpointConfig", fields_of::<c::EndpointConfig>()),
        ("FileRef", fields_of::<c::FileRef>()),
        ("KeyConfig", fields_of::<c::KeyConfig>()),
        ("LogConfig", fields_of::<c::LogConfig>()),
        ("MediaConfig", fields_of::<c::MediaConfig>()),
        ("ModelConfig", fields_of::<c::ModelConfig>()),
        ("PriceTable", fields_of::<c::PriceTable>()),
        ("PriceTier", fields_of::<c::PriceTier>()),
        ("ProviderConfig", fields_of::<c::ProviderConfig>()),
        ("ProviderKey", fields_of::<c::ProviderKey>()),
        ("RateLimit", fields_of::<c::RateLimit>()),
        ("RoutingConfig", fields_of::<c::RoutingConfig>()),
        ("SecretRef", fields_of::<c::SecretRef>()),
        ("ServerConfig", fields_of::<c::ServerConfig>()),
        ("StoreConfig", fields_of::<c::StoreConfig>()),
        ("TierFactors", fields_of::<c::TierFactors>()),
        ("Timeouts", fields_of::<c::Timeouts>()),
        ("TlsConfig", fields_of::<c::TlsConfig>()),
    ])
}

struct Walk<'a> {
    schema: &'a Json,
    orders: BTreeMap<&'static str, &'static [&'static str]>,
}

/// What a property leads to.
enum Below<'a> {
    /// A table, `[path]`.
    Table(&'a Json),
    /// A list of tables, `[[path]]`.
    Repeated(&'a Json),
    /// A table of tables, `[path.<name>]`.
    Named(&'a Json),
    /// A table of values under names of one's own.
    Values(&'a Json),
    /// A value.
    Value,
}

impl<'a> Walk<'a> {
    /// Adds the table `path` with the keys of `node`, then the tables below it.
    fn table(&self, path: &str, node: &'a Json, tables: &mut Vec<Table>) {
        let definition = self.resolve(node);
        let properties = self.properties(node);
        let required = |name: &str| {
            let names = definition.get("required").and_then(Json::as_array);
            names.is_some_and(|names| names.iter().any(|n| n.as_str() == Some(name)))
        };
        let values = properties.iter().filter(|(_, p)| matches!(self.below(path, p), Below::Value));
        let keys = values.map(|(name, property)| self.key(name, property, required(name)));
        let keys = keys.collect();
        let description = text(node, "description").or(text(definition, "description"));
        let description = description.unwrap_or_default();
        tables.push(Table { path: path.to_owned(), description, repeated: false, keys });
        for (name, property) in properties {
            let dot = if path.is_empty() { "" } else { "." };
            self.below_table(&format!("{path}{dot}{name}"), path, property, tables);
        }
    }

    fn below_table(&self, path: &str, parent: &str, property: &'a Json, tables: &mut Vec<Table>) {
        let index = tables.len();
        let description = text(property, "description").unwrap_or_default();
        match self.below(parent, property) {
            Below::Value => return,
            Below::Table(node) => self.table(path, node, tables),
            Below::Named(node) => self.table(&format!("{path}.<name>"), node, tables),
            Below::Repeated(node) => {
                self.table(path, node, tables);
                if let Some(table) = tables.get_mut(index) {
                    table.repeated = true;
                }
            }
            Below::Values(node) => {
                let key = self.key("<name>", node, false);
                let path = path.to_owned();
                tables.push(Table {
                    path,
                    description: String::new(),
                    repeated: false,
                    keys: vec![key],
                });
            }
        }
        // What the key means says more than what the type is.
        if let Some(table) = tables.get_mut(index) {
            table.description = description;
        }
    }

    fn below(&self, parent: &str, property: &'a Json) -> Below<'a> {
        let node = self.resolve(property);
        let inner = |key: &str| node.get(key).filter(|inner| inner.is_object());
        let is_table = |node: &'a Json| self.resolve(node).get("properties").is_some();
        if is_table(property) {
            return Below::Table(plain(property));
        }
        if let Some(items) = inner("items").filter(|items| is_table(items)) {
            return Below::Repeated(items);
        }
        match inner("additionalProperties") {
            Some(values) if is_table(values) => Below::Named(values),
            // At the top such a table has a heading; further down it is written on one line.
            Some(values) if parent.is_empty() => Below::Values(values),
            _ => Below::Value,
        }
    }

    fn properties(&self, node: &'a Json) -> Vec<(&'a str, &'a Json)> {
        let definition = self.resolve(node);
        let name = reference(plain(node)).unwrap_or_default();
        let order = self.orders.get(name).copied().unwrap_or_default();
        let place = |key: &str| order.iter().position(|field| *field == key);
        let map = definition.get("properties").and_then(Json::as_object);
        let mut properties: Vec<_> =
            map.into_iter().flatten().map(|(k, v)| (k.as_str(), v)).collect();
        properties.sort_by_key(|(key, _)| (place(key).is_none(), place(key)));
        properties
    }

    fn key(&self, name: &str, property: &Json, required: bool) -> Key {
        let default = property.get("default").filter(|default| !default.is_null()).cloned();
        Key {
            name: name.to_owned(),
            kind: self.kind(property),
            default,
            required,
            description: text(property, "description").unwrap_or_default(),
        }
    }

    /// What may be written, in words.
    fn kind(&self, property: &Json) -> String {
        let node = self.resolve(property);
        if let Some(variants) = node.get("oneOf").and_then(Json::as_array) {
            let names = variants.iter().filter_map(|v| v.get("const").and_then(Json::as_str));
            let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
            return names.join(", ");
        }
        let kind = match node.get("type") {
            Some(Json::Array(kinds)) => kinds.iter().find_map(Json::as_str).unwrap_or_default(),
            Some(Json::String(kind)) => kind,
            _ => "",
        };
        match kind {
            "array" => {
                let items = node.get("items").map(|items| self.kind(items)).unwrap_or_default();
                format!("list of {items}s")
            }
            "object" => "table".to_owned(),
            "boolean" => "true or false".to_owned(),
            other => other.to_owned(),
        }
    }

    /// The definition that a node refers to, or the node.
    fn resolve<'n>(&self, node: &'n Json) -> &'n Json
    where
        'a: 'n,
    {
        let node = plain(node);
        let definition = reference(node).and_then(|name| self.schema.get("$defs")?.get(name));
        definition.unwrap_or(node)
    }
}

fn reference(node: &Json) -> Option<&str> {
    node.get("$ref")?.as_str()?.strip_prefix("#/$defs/")
}

fn text(node: &Json, key: &str) -> Option<String> {
    Some(node.get(key)?.as_str()?.replace('\n', " "))
}

/// Without the `null` that stands for an omitted key.
fn plain(node: &Json) -> &Json {
    let variants = node.get("anyOf").and_then(Json::as_array);
    let written = |variant: &&Json| variant.get("$ref").is_some() || variant.get("items").is_some();
    variants.and_then(|variants| variants.iter().find(written)).unwrap_or(node)
}
