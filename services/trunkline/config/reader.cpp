#include "config/reader.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <yaml-cpp/yaml.h>

namespace trunkline::config {
namespace {

constexpr std::string_view kFileSuffix = "_file";

int line_of(const YAML::Node& node) {
  return node.Mark().line < 0 ? 0 : node.Mark().line + 1;
}

std::string_view type_of(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Map:
      return "a map";
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Scalar:
      return "a single value";
    case YAML::NodeType::Null:
    case YAML::NodeType::Undefined:
      break;
  }
  return "nothing";
}

class Reader {
 public:
  Reader(const std::string& folder, const Environment& environment, Problems& problems)
      : folder_(folder), environment_(environment), problems_(problems) {}

  Value read(const Key& key, const YAML::Node& node, const std::string& path) {
    Value value = start(key, node, path);
    const bool one =
        key.shape == Shape::one || (key.shape == Shape::one_or_list && !node.IsSequence());
    if (!one) {
      read_list(value, node);
    } else if (key.shape == Shape::one_or_list) {
      value.items.push_back(read_one(key, node, path));
      value.known = value.items[0].known;
    } else {
      value = read_one(key, node, path);
    }
    return value;
  }

  /// What the file doesn't say.
  Value standard(const Key& key, const std::string& path) {
    Value value;
    value.key = &key;
    value.path = path;
    if (key.kind == Kind::section && key.shape == Shape::one) {
      for (const Key& member : key.members)
        value.items.push_back(standard(member, join(path, member.name)));
    } else if (key.standard != nullptr) {
      value.known = true;
      if (key.shape == Shape::one) {
        value.text = key.standard;
        check(value);
      } else {
        standard_list(value);
      }
    }
    return value;
  }

 private:
  static std::string join(const std::string& path, std::string_view name) {
    return path.empty() ? std::string(name) : path + "." + std::string(name);
  }

  static Value start(const Key& key, const YAML::Node& node, const std::string& path) {
    Value value;
    value.key = &key;
    value.path = path;
    value.line = line_of(node);
    value.present = true;
    return value;
  }

  void standard_list(Value& value) {
    std::string_view rest = value.key->standard;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(", ");
      Value item;
      item.key = value.key;
      item.path = value.path + "[" + std::to_string(value.items.size()) + "]";
      item.known = true;
      item.text = rest.substr(0, comma);
      check(item);
      value.items.push_back(std::move(item));
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 2);
    }
  }

  void read_list(Value& value, const YAML::Node& node) {
    value.known = true;
    if (node.IsNull()) return;
    if (!node.IsSequence()) {
      value.known = false;
      problems_.add(value.line, value.path, "is " + std::string(type_of(node)) + ", not a list",
                    "write one element a line with \"- \" before it, or [ , ]");
      return;
    }
    for (const YAML::Node& element : node) {
      const std::string path = value.path + "[" + std::to_string(value.items.size()) + "]";
      value.items.push_back(read_one(*value.key, element, path));
    }
  }

  Value read_one(const Key& key, const YAML::Node& node, const std::string& path) {
    Value value = start(key, node, path);
    if (key.kind == Kind::section) {
      read_section(value, node);
    } else {
      read_scalar(value, node);
    }
    return value;
  }

  void read_scalar(Value& value, const YAML::Node& node) {
    if (!node.IsScalar()) {
      problems_.add(value.line, value.path,
                    "is " + std::string(type_of(node)) + ", not a single value",
                    "write " + std::string(kind_words(value.key->kind)));
      return;
    }
    auto text = expand(node.Scalar(), environment_);
    if (!text) {
      problems_.add(value.line, value.path, text.error().wrong, text.error().right);
      return;
    }
    value.text = std::move(*text);
    value.known = check(value);
  }

  bool check(Value& value) {
    const auto error = check_scalar(value);
    if (error) problems_.add(value.line, value.path, error->wrong, error->right);
    return !error;
  }

  void read_section(Value& value, const YAML::Node& node) {
    if (!node.IsMap() && !node.IsNull()) {
      problems_.add(value.line, value.path, "is " + std::string(type_of(node)) + ", not a map",
                    "write its keys, each as \"key: value\"");
      return;
    }
    value.known = true;
    std::vector<std::pair<std::string, YAML::Node>> given = collect(value, node);
    for (const Key& member : value.key->members)
      value.items.push_back(read_member(value, member, given));
  }

  /// The entries of a map whose keys the table knows, each once.
  std::vector<std::pair<std::string, YAML::Node>> collect(const Value& value,
                                                          const YAML::Node& node) {
    std::vector<std::pair<std::string, YAML::Node>> given;
    if (!node.IsMap()) return given;
    for (const auto& entry : node) {
      const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
      const int line = line_of(entry.first);
      if (!is_known(*value.key, name)) {
        problems_.add(line, join(value.path, name), "is not a known key",
                      known_keys(*value.key, name));
      } else if (std::ranges::find(given, name, &std::pair<std::string, YAML::Node>::first) !=
                 given.end()) {
        problems_.add(line, join(value.path, name), "is given twice", "keep one of the two");
      } else {
        given.emplace_back(name, entry.second);
      }
    }
    return given;
  }

  static bool is_known(const Key& section, std::string_view name) {
    return std::ranges::any_of(section.members, [name](const Key& member) {
      return member.name == name ||
             (member.kind == Kind::secret && name.ends_with(kFileSuffix) &&
              name.substr(0, name.size() - kFileSuffix.size()) == member.name);
    });
  }

  static std::string known_keys(const Key& section, std::string_view name) {
    std::vector<std::string> names;
    std::string all;
    for (const Key& member : section.members) {
      names.emplace_back(member.name);
      if (member.kind == Kind::secret) names.emplace_back(std::string(member.name) + "_file");
    }
    if (std::string near = suggest(name, names); !near.empty()) return near;
    for (const std::string& known : names)
      all += (all.empty() ? "known here: " : ", ") + known;
    return all;
  }

  Value read_member(const Value& section, const Key& member,
                    const std::vector<std::pair<std::string, YAML::Node>>& given) {
    const std::string path = join(section.path, member.name);
    const auto find = [&given](const std::string& name) {
      return std::ranges::find(given, name, &std::pair<std::string, YAML::Node>::first);
    };
    const auto plain = find(std::string(member.name));
    const auto in_file = find(std::string(member.name) + std::string(kFileSuffix));
    if (plain != given.end() && in_file != given.end()) {
      problems_.add(line_of(in_file->second), path + "_file", "stands beside " + path,
                    "keep one of the two");
    }
    if (plain != given.end()) return read(member, plain->second, path);
    if (in_file != given.end()) return read_secret_file(member, in_file->second, path);
    if (member.required) {
      problems_.add(section.line, path, "is missing",
                    "write " + std::string(kind_words(member.kind)));
    }
    return standard(member, path);
  }

  Value read_secret_file(const Key& member, const YAML::Node& node, const std::string& path) {
    Value value = start(member, node, path);
    const auto name = node.IsScalar()
                          ? expand(node.Scalar(), environment_)
                          : Result<std::string, ScalarError>(fail(ScalarError{
                                "is " + std::string(type_of(node)) + ", not a single value",
                                "write the path of a file"}));
    if (!name) {
      problems_.add(value.line, path + "_file", name.error().wrong, name.error().right);
      return value;
    }
    value.file = in_folder(folder_, *name);
    auto content = read_file(value.file);
    if (!content) {
      problems_.add(value.line, path + "_file", content.error().message,
                    "name a file that holds the secret alone");
      return value;
    }
    while (!content->empty() && (content->back() == '\n' || content->back() == '\r'))
      content->pop_back();
    if (content->empty()) {
      problems_.add(value.line, path + "_file", "\"" + value.file + "\" is empty",
                    "write the secret into it");
      return value;
    }
    value.text = std::move(*content);
    value.known = check(value);
    return value;
  }

  const std::string& folder_;
  const Environment& environment_;
  Problems& problems_;
};

/// The only document of the text; a null node when it is empty.
YAML::Node parse(std::string_view text, Problems& problems) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.size() > 1) problems.add(0, "", "holds several YAML documents", "keep one");
    return documents.empty() ? YAML::Node() : documents[0];
  } catch (const YAML::Exception& error) {
    problems.add(error.mark.line + 1, "", "is not valid YAML: " + error.msg,
                 "check indentation, quotes and brackets");
    return {};
  }
}

}  // namespace

const Value& Value::operator[](std::string_view name) const {
  static const Value nothing;
  const auto found =
      std::ranges::find_if(items, [name](const Value& item) { return item.key->name == name; });
  return found == items.end() ? nothing : *found;
}

Result<std::string> read_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return fail("there is no file \"" + path + "\"");
  if (std::filesystem::is_directory(path, error)) return fail("\"" + path + "\" is a folder");
  std::ifstream stream(path, std::ios::binary);
  std::string content(kMaxFile + 1, '\0');
  stream.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (!stream && !stream.eof()) return fail("can't read \"" + path + "\"");
  content.resize(static_cast<std::size_t>(stream.gcount()));
  if (content.size() > kMaxFile) return fail("\"" + path + "\" is larger than 4 MiB");
  return content;
}

std::string in_folder(const std::string& folder, const std::string& path) {
  return (std::filesystem::path(folder) / path).string();
}

Value read(std::string_view text, const std::string& folder, const Environment& environment,
           Problems& problems) {
  const YAML::Node document = parse(text, problems);
  return Reader(folder, environment, problems).read(root(), document, "");
}

}  // namespace trunkline::config
