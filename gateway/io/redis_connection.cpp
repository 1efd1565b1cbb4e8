#include "io/redis_connection.hpp"

#include <hiredis/hiredis.h>
#include <utility>

namespace trunkline::io {
namespace {

/// More is no answer to anything that is asked here.
constexpr std::size_t kMaxItems = 4096;
constexpr int kMaxDepth = 4;

timeval timeval_of(Duration limit) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(limit).count();
  return {us / 1'000'000, us % 1'000'000};
}

RedisReply taken(const redisReply& from, int depth = 0) {
  using Kind = RedisReply::Kind;
  RedisReply reply;
  switch (from.type) {
    case REDIS_REPLY_INTEGER:
      reply.kind = Kind::number;
      reply.number = from.integer;
      break;
    case REDIS_REPLY_ERROR:
      reply.kind = Kind::error;
      reply.text.assign(from.str, from.len);
      break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      reply.kind = Kind::text;
      reply.text.assign(from.str, from.len);
      break;
    case REDIS_REPLY_ARRAY:
      reply.kind = Kind::list;
      for (std::size_t i = 0; depth < kMaxDepth && i < from.elements && i < kMaxItems; ++i)
        reply.items.push_back(taken(*from.element[i], depth + 1));
      break;
    default:
      break;
  }
  return reply;
}

}  // namespace

struct RedisConnection::Impl {
  ~Impl() { redisFree(context); }
  redisContext* context = nullptr;
  Duration limit{};
};

RedisConnection::RedisConnection() : impl_(std::make_unique<Impl>()) {}
RedisConnection::~RedisConnection() = default;

Result<std::unique_ptr<RedisConnection>> RedisConnection::connect(const RedisPlace& place,
                                                                  Duration limit) {
  std::unique_ptr<RedisConnection> made(new RedisConnection);
  Impl& impl = *made->impl_;
  impl.limit = limit;
  impl.context = redisConnectWithTimeout(place.host.c_str(), place.port, timeval_of(limit));
  if (impl.context == nullptr) return fail("no memory");
  if (impl.context->err != 0) return fail(std::string(impl.context->errstr));
  if (redisSetTimeout(impl.context, timeval_of(limit)) != REDIS_OK)
    return fail(std::string(impl.context->errstr));
  std::vector<Command> entering;
  if (!place.user.empty()) {
    entering.push_back({"AUTH", place.user, place.password});
  } else if (!place.password.empty()) {
    entering.push_back({"AUTH", place.password});
  }
  if (place.database != 0) entering.push_back({"SELECT", std::to_string(place.database)});
  const auto replies = made->ask(entering);
  if (!replies) return fail(replies.error());
  for (const RedisReply& reply : *replies) {
    if (reply.kind == RedisReply::Kind::error) return fail(reply.text);
  }
  return made;
}

Result<std::vector<RedisReply>> RedisConnection::ask(const std::vector<Command>& commands) {
  redisContext* const context = impl_->context;
  for (const Command& command : commands) {
    std::vector<const char*> words;
    std::vector<std::size_t> sizes;
    for (const std::string& word : command) {
      words.push_back(word.data());
      sizes.push_back(word.size());
    }
    if (redisAppendCommandArgv(context, static_cast<int>(words.size()), words.data(),
                               sizes.data()) != REDIS_OK)
      return fail(std::string(context->errstr));
  }
  // A server that answers octet by octet keeps each read within its limit, not the whole.
  const TimePoint until = Clock::now() + impl_->limit;
  std::vector<RedisReply> replies;
  replies.reserve(commands.size());
  for (std::size_t i = 0; i < commands.size(); ++i) {
    void* raw = nullptr;
    if (Clock::now() > until) return fail("no answer in time");
    if (redisGetReply(context, &raw) != REDIS_OK) {
      const bool late = context->err == REDIS_ERR_IO && Clock::now() >= until;
      return fail(late ? std::string("no answer in time") : std::string(context->errstr));
    }
    const std::unique_ptr<void, decltype(&freeReplyObject)> owned(raw, freeReplyObject);
    replies.push_back(taken(*static_cast<const redisReply*>(raw)));
  }
  return replies;
}

int RedisConnection::fd() const {
  return impl_->context->fd;
}

}  // namespace trunkline::io
