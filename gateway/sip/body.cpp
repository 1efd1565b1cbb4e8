#include "sip/body.hpp"

#include "sip/header.hpp"
#include "sip/parts.hpp"
#include "sip/syntax.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::sip {
namespace {

using Verdict = BodyReading::Verdict;

constexpr std::size_t kMaxBoundary = 70;  // RFC 2046 §5.1.1

/// One body part, or the whole body: what its fields say, and its octets.
struct Entity {
  std::string_view type, disposition, encoding, id;
  std::string_view content;
};

/// Where the line that begins at `at` ends, without its CRLF.
std::size_t line_end(std::string_view text, std::size_t at) {
  return std::min(text.find(kLineEnd, at), text.size());
}

/// A line between two parts (RFC 2046 §5.1.1).
struct Delimiter {
  std::size_t begin = 0, next = 0;  ///< of its line, and of what follows
  bool last = false;
};

/// Nothing but white space may follow on the line, and `--` in front of it on the last.
std::optional<Delimiter> find_delimiter(std::string_view body, std::string_view dashed,
                                        std::size_t from) {
  for (std::size_t at = body.find(dashed, from); at != std::string_view::npos;
       at = body.find(dashed, at + 1)) {
    if (at != 0 && (at < 2 || body.substr(at - 2, 2) != kLineEnd)) continue;
    const std::size_t end = line_end(body, at);
    std::string_view rest = body.substr(at + dashed.size(), end - at - dashed.size());
    const bool last = rest.starts_with("--");
    if (last) rest.remove_prefix(2);
    if (!trim(rest).empty()) continue;
    return Delimiter{at, std::min(end + kLineEnd.size(), body.size()), last};
  }
  return std::nullopt;
}

/// Fields and octets of a part. Nothing if it has lines that are neither.
std::optional<Entity> read_entity(std::string_view part) {
  Entity entity;
  std::size_t at = 0;
  while (true) {
    std::size_t end = line_end(part, at);
    const bool blank = end == at;
    if (blank) {
      entity.content = part.substr(std::min(end + kLineEnd.size(), part.size()));
      return entity;
    }
    // A folded field goes on in the next line; its line ends count as white space when it is read.
    while (end + kLineEnd.size() < part.size() && is_blank(part[end + kLineEnd.size()]))
      end = line_end(part, end + kLineEnd.size());
    const std::string_view line = part.substr(at, end - at);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(trim(line.substr(0, colon))))
      return std::nullopt;
    const std::string_view name = trim(line.substr(0, colon));
    const std::string_view value = trim(line.substr(colon + 1));
    if (equals_ignoring_case(name, "Content-Type")) entity.type = value;
    if (equals_ignoring_case(name, "Content-Disposition")) entity.disposition = value;
    if (equals_ignoring_case(name, "Content-Transfer-Encoding")) entity.encoding = value;
    if (equals_ignoring_case(name, "Content-ID")) entity.id = value;
    at = std::min(end + kLineEnd.size(), part.size());
  }
}

std::string unfolded(std::string_view value) {
  std::string text(value);
  for (char& c : text) {
    if (c == '\r' || c == '\n') c = ' ';
  }
  return text;
}

/// Reads a body from the outside in.
class Reader {
 public:
  BodyReading read(const Entity& entity, std::size_t depth) {
    if (++parts_ > kMaxBodyParts + 1) return {Verdict::malformed, {}};
    const bool required = is_required(entity.disposition);
    const auto type = MediaType::parse(entity.type.empty() ? "text/plain" : unfolded(entity.type));
    if (!type) return {required ? Verdict::unknown : Verdict::good, {}};
    const BodyReading reading =
        type->type == "multipart" ? read_multipart(entity, *type, depth) : read_leaf(entity, *type);
    // RFC 5621 §5.2: optional is the whole, whatever its parts say.
    if (reading.verdict == Verdict::unknown && !required) return {};
    return reading;
  }

 private:
  /// RFC 3204 §3: what says nothing of its handling is required.
  static bool is_required(std::string_view disposition) {
    const std::string text = unfolded(disposition);
    const std::size_t parameters_at = text.find(';');
    Parameters parameters;
    if (parameters_at == std::string::npos ||
        !read_parameters(std::string_view(text).substr(parameters_at), &parameters))
      return true;
    return !equals_ignoring_case(parameter_value(parameters, "handling"), "optional");
  }

  static BodyReading read_leaf(const Entity& entity, const MediaType& type) {
    const std::string disposition = unfolded(entity.disposition);
    const std::string_view kind =
        trim(std::string_view(disposition).substr(0, disposition.find(';')));
    const bool session = kind.empty() || equals_ignoring_case(kind, "session");
    if (type.is("application/sdp") && session && is_plain(entity.encoding))
      return {Verdict::good, entity.content};
    return {Verdict::unknown, {}};
  }

  static bool is_plain(std::string_view encoding) {
    return encoding.empty() || equals_ignoring_case(encoding, "binary") ||
           equals_ignoring_case(encoding, "8bit") || equals_ignoring_case(encoding, "7bit");
  }

  BodyReading read_multipart(const Entity& entity, const MediaType& type, std::size_t depth) {
    const std::string boundary = unquote(parameter_value(type.parameters, "boundary"));
    const auto parts = depth < kMaxBodyDepth && !boundary.empty() &&
                               boundary.size() <= kMaxBoundary && boundary.back() != ' '
                           ? split(entity.content, "--" + boundary)
                           : std::nullopt;
    if (!parts) return {Verdict::malformed, {}};
    if (type.subtype == "alternative") return read_alternative(*parts, depth);
    if (type.subtype == "related")
      return read(root_of(*parts, unquote(parameter_value(type.parameters, "start"))), depth + 1);
    BodyReading all;
    for (const Entity& part : *parts) {
      const BodyReading one = read(part, depth + 1);
      if (one.verdict == Verdict::malformed) return one;
      if (all.description.empty()) all.description = one.description;
      all.verdict = std::max(all.verdict, one.verdict);
    }
    return all;
  }

  /// RFC 2046 §5.1.4: the last that is understood; how each is to be handled is not asked.
  BodyReading read_alternative(const std::vector<Entity>& parts, std::size_t depth) {
    BodyReading best{Verdict::unknown, {}};
    for (const Entity& part : parts) {
      const BodyReading one = read(part, depth + 1);
      if (one.verdict == Verdict::malformed) return one;
      if (one.verdict == Verdict::good && !one.description.empty()) best = one;
    }
    return best;
  }

  /// RFC 2387 §3.2: the one that `start` names, else the first.
  static const Entity& root_of(const std::vector<Entity>& parts, std::string_view start) {
    for (const Entity& part : parts) {
      if (!start.empty() && part.id == start) return part;
    }
    return parts.front();
  }

  /// Nothing: no delimiter, a part that is none, or too many. The last may lack its end.
  static std::optional<std::vector<Entity>> split(std::string_view body, std::string_view dashed) {
    std::vector<Entity> parts;
    auto open = find_delimiter(body, dashed, 0);
    while (open && !open->last) {
      // The CRLF in front of a delimiter belongs to it: that of this line may be that of the next.
      const auto next = find_delimiter(body, dashed, open->next);
      const std::size_t end = next ? next->begin - kLineEnd.size() : body.size();
      const std::string_view text =
          end > open->next ? body.substr(open->next, end - open->next) : std::string_view{};
      auto entity = read_entity(text);
      if (!entity || parts.size() == kMaxBodyParts) return std::nullopt;
      parts.push_back(*entity);
      open = next;
    }
    if (parts.empty()) return std::nullopt;
    return parts;
  }

  std::size_t parts_ = 0;
};

}  // namespace

BodyReading read_body(const Message& message) {
  if (message.body().empty()) return {};
  Entity whole;
  whole.type = message.header(HeaderName::content_type).value_or("");
  whole.disposition = message.header(HeaderName::content_disposition).value_or("");
  whole.content = message.body();
  if (whole.type.empty()) return {BodyReading::Verdict::unknown, {}};
  return Reader().read(whole, 0);
}

}  // namespace trunkline::sip
