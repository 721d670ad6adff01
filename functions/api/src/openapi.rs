//! The OpenAPI 3.1 document, made from the table that serves.

use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::documentation::{Answer, Documentation, Parameter, ParameterLocation};

/// The security scheme's name.
const KEY: &str = "key";

/// The document over these operations.
pub(crate) fn document<'a>(operations: impl IntoIterator<Item = &'a Documentation>) -> Value {
    // OpenAPI 3.1 schemas are JSON Schema 2020-12.
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.with_transform(for_callers).into_generator();
    let mut paths = Map::new();
    for doc in operations {
        let item = paths.entry(doc.path).or_insert_with(|| json!({}));
        item[doc.verb.key()] = operation(doc, &mut generator);
    }
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Carillon",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Schedules jobs. Instants in answers are epoch milliseconds; every error is an RFC 9457 \
                            problem document; every answer carries `x-request-id`.",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {KEY: {"type": "http", "scheme": "bearer", "description": "An API key."}},
        },
    })
}

fn operation(doc: &Documentation, generator: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": doc.id,
        "summary": doc.summary,
        "description": doc.description,
        "security": if doc.is_open { json!([]) } else { json!([{KEY: []}]) },
        "parameters": doc.parameters.iter().map(|it| parameter(it, generator)).collect::<Vec<_>>(),
        "responses": doc.answers.iter().map(|it| (it.status.as_str().to_owned(), answer(it, generator)))
            .collect::<Map<_, _>>(),
    });
    if let Some(body) = &doc.body {
        operation["requestBody"] = json!({
            "required": !body.is_optional,
            "content": {"application/json": {"schema": (body.schema)(generator)}},
        });
    }
    operation
}

fn parameter(parameter: &Parameter, generator: &mut SchemaGenerator) -> Value {
    json!({
        "name": parameter.name,
        "in": match parameter.place {
            ParameterLocation::Path => "path",
            ParameterLocation::Query => "query",
            ParameterLocation::Header => "header",
        },
        "required": parameter.is_required,
        "description": parameter.description,
        "schema": (parameter.schema)(generator),
    })
}

fn answer(answer: &Answer, generator: &mut SchemaGenerator) -> Value {
    let header = |(name, description): &(&str, &str)| {
        ((*name).to_owned(), json!({"description": description, "schema": {"type": "string"}}))
    };
    let request_id = ("x-request-id", "Names the request in the service's log.");
    let headers: Map<_, _> = answer.headers.iter().chain([&request_id]).map(header).collect();
    let mut described = json!({"description": answer.description, "headers": headers});
    if let Some((media_type, schema)) = answer.content {
        described["content"] = json!({media_type: {"schema": schema(generator)}});
    }
    described
}

/// Says in the callers' terms what the derived schemas say in Rust's.
fn for_callers(schema: &mut Schema) {
    // Examples in code are for readers of the code.
    if let Some(Value::String(description)) = schema.get_mut("description")
        && let Some(code) = description.find("\n```")
    {
        description.truncate(code);
        description.truncate(description.trim_end().len());
    }
    // An optional property may be absent; it is never null, neither in what is read nor in what is answered. Rust's
    // `Option` says both.
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(drop_null);
    }
    transform_subschemas(&mut for_callers, schema);
}

fn drop_null(property: &mut Value) {
    let Some(property) = property.as_object_mut() else { return };
    if let Some(Value::Array(types)) = property.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            property["type"] = only.clone();
        }
    }
    if let Some(Value::Array(words)) = property.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    if let Some(Value::Array(options)) = property.get_mut("anyOf") {
        options.retain(|option| *option != json!({"type": "null"}));
        if let [Value::Object(only)] = options.as_slice() {
            let only = only.clone();
            property.remove("anyOf");
            property.extend(only);
        }
    }
}
