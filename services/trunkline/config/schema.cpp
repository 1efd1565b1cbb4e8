#include "config/config.hpp"
#include <nlohmann/json.hpp>

namespace trunkline::config {
namespace {

using Json = nlohmann::ordered_json;

Json string_type(const char* pattern) {
  return {{"type", "string"}, {"pattern", pattern}};
}

Json integer_schema(const Key& key) {
  Json schema{{"type", "integer"}};
  if (key.maximum != 0) {
    schema["minimum"] = key.minimum;
    schema["maximum"] = key.maximum;
  }
  return schema;
}

Json text_schema(const Key& key) {
  Json schema{{"type", "string"}};
  if (key.minimum != 0) schema["minLength"] = key.minimum;
  if (key.maximum != 0) schema["maxLength"] = key.maximum;
  return schema;
}

Json plain_schema(const Key& key) {
  switch (key.kind) {
    case Kind::integer:
      return integer_schema(key);
    case Kind::boolean:
      return {{"type", "boolean"}};
    case Kind::duration:
      return string_type("^[0-9]+(ms|s|m|h|d)$");
    case Kind::size:
      return string_type("^[0-9]+(B|KiB|MiB|GiB)$");
    case Kind::port_range:
      return string_type("^[0-9]+-[0-9]+$");
    case Kind::name:
      return string_type("^[A-Za-z0-9._-]{1,64}$");
    case Kind::origin:
      return string_type("^https?://[^/]+$");
    case Kind::sip_uri:
      return string_type("^sips?:");
    case Kind::choice:
      return {{"enum", key.choices}};
    case Kind::text:
    case Kind::expression:
    case Kind::secret:
      return text_schema(key);
    case Kind::section:
    case Kind::user:
    case Kind::host:
    case Kind::file:
    case Kind::ip:
    case Kind::socket_address:
    case Kind::endpoint:
    case Kind::address_range:
      break;
  }
  return {{"type", "string"}};
}

Json schema_of(const Key& key);

/// Any scalar may be `${NAME}` instead; an expression or a text already is any string.
Json scalar_schema(const Key& key) {
  Json plain = plain_schema(key);
  if (plain == Json{{"type", "string"}}) return plain;
  return {{"anyOf", Json::array({std::move(plain), Json{{"$ref", "#/definitions/variable"}}})}};
}

Json section_schema(const Key& key) {
  Json properties = Json::object(), required = Json::array(), either = Json::array();
  for (const Key& member : key.members) {
    const std::string name(member.name), in_file = name + "_file";
    properties[name] = schema_of(member);
    if (member.kind == Kind::secret) {
      properties[in_file] = {{"type", "string"}, {"description", "File that holds " + name + "."}};
      const Json one_of = Json::array({Json{{"required", {name}}}, Json{{"required", {in_file}}}});
      if (member.required) either.push_back(Json{{"oneOf", one_of}});
    } else if (member.required) {
      required.push_back(name);
    }
  }
  Json schema{
      {"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
  if (!required.empty()) schema["required"] = std::move(required);
  if (!either.empty()) schema["allOf"] = std::move(either);
  return schema;
}

Json default_of(const Key& key) {
  const auto scalar = [&key](std::string_view text) -> Json {
    if (key.kind == Kind::integer) return Json::parse(text);
    if (key.kind == Kind::boolean) return text == "true";
    return text;
  };
  if (key.shape == Shape::one) return scalar(key.standard);
  Json list = Json::array();
  std::string_view rest = key.standard;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(", ");
    list.push_back(scalar(rest.substr(0, comma)));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 2);
  }
  return list;
}

Json schema_of(const Key& key) {
  Json one = key.kind == Kind::section ? section_schema(key) : scalar_schema(key);
  Json schema;
  if (key.shape == Shape::one) {
    schema = std::move(one);
    // A section may be written without content.
    if (key.kind == Kind::section) schema["type"] = {"object", "null"};
  } else if (key.shape == Shape::list) {
    schema = {{"type", {"array", "null"}}, {"items", std::move(one)}};
  } else {
    const Json list{{"type", "array"}, {"items", one}, {"minItems", 1}};
    schema = {{"anyOf", Json::array({std::move(one), list})}};
  }
  schema["description"] = key.doc;
  if (key.standard != nullptr) schema["default"] = default_of(key);
  return schema;
}

}  // namespace

std::string json_schema() {
  Json schema{{"$schema", "http://json-schema.org/draft-07/schema#"},
              {"title", "Trunkline configuration"}};
  schema.update(schema_of(root()));
  schema["definitions"] = {{"variable",
                            {{"type", "string"},
                             {"pattern", "\\$\\{"},
                             {"description", "${NAME} or ${NAME:-default}"}}}};
  return schema.dump(2) + "\n";
}

}  // namespace trunkline::config
