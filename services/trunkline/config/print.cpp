
#include "config/config.hpp"
#include <functional>
#include <iomanip>
#include <sstream>
#include <yaml-cpp/yaml.h>

namespace trunkline::config {
namespace {

constexpr const char* kMask = "***";

/// As the file would have to say it: `${` itself is written `$${`.
std::string written(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "${") == 0) result += '$';
    result += text[i];
  }
  return result;
}

bool has_content(const Value& value) {
  if (value.known && value.key->kind != Kind::section) return true;
  if (value.key->kind == Kind::section && value.key->shape == Shape::list) return value.known;
  bool content = false;
  for (const Value& item : value.items) {
    // The section is not there, whatever its other keys would default to.
    if (item.key->required && !item.known) return false;
    content = content || has_content(item);
  }
  return content;
}

enum class Keys { all, of_all_nodes };

void emit(YAML::Emitter& out, const Value& value, bool element, Keys which);

void emit_section(YAML::Emitter& out, const Value& value, Keys which) {
  out << YAML::BeginMap;
  for (const Value& item : value.items) {
    if (!has_content(item) || (which == Keys::of_all_nodes && item.key->of_node)) continue;
    out << YAML::Key << std::string(item.key->name) << YAML::Value;
    emit(out, item, false, which);
  }
  out << YAML::EndMap;
}

/// `element`: the value is one of a list, so its key's shape has been dealt with.
void emit(YAML::Emitter& out, const Value& value, bool element, Keys which) {
  if (!element && value.key->shape != Shape::one) {
    if (value.key->kind != Kind::section) out << YAML::Flow;
    out << YAML::BeginSeq;
    for (const Value& item : value.items)
      emit(out, item, true, which);
    out << YAML::EndSeq;
  } else if (value.key->kind == Kind::section) {
    emit_section(out, value, which);
  } else if (value.key->kind == Kind::secret) {
    out << kMask;
  } else if (value.key->kind == Kind::integer || value.key->kind == Kind::boolean) {
    out << value.text;
  } else {
    out << YAML::DoubleQuoted << written(value.text);
  }
}

std::string written(const Value& effective, Keys which) {
  YAML::Emitter out;
  emit(out, effective, false, which);
  return std::string(out.c_str()) + "\n";
}

}  // namespace

std::string print(const Value& effective) {
  return written(effective, Keys::all);
}

std::string fingerprint(const Value& effective) {
  std::ostringstream digits;
  digits << std::hex << std::setw(16) << std::setfill('0')
         << std::hash<std::string>{}(written(effective, Keys::of_all_nodes));
  return digits.str();
}

}  // namespace trunkline::config
