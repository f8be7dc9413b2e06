// The C interface: records, batches, tokens.
#include <string.h>

#include <algorithm>

#include "c_guard.hpp"

using namespace quietus;
using namespace quietus::c;

namespace {

std::optional<Version> version_from(const quietus_record_version* given) {
  if (given == nullptr) return std::nullopt;
  Version version{};
  std::copy(std::begin(given->bytes), std::end(given->bytes), version.begin());
  return version;
}

Result<PutOptions> put_options(const quietus_put_options* how) {
  QUIETUS_TRY_AS(const quietus_put_options given, options(how));
  PutOptions wanted;
  if (given.content_type != nullptr) wanted.content_type = given.content_type;
  wanted.expected = version_from(given.expected);
  wanted.must_be_new = given.must_be_new != 0;
  return wanted;
}

int show(const RecordInfo& record, quietus_record_visit visit, void* context) {
  quietus_record_info info{};
  info.size = sizeof info;
  info.name = record.name.c_str();
  info.content_type = record.content_type.c_str();
  info.bytes = record.size_bytes;
  info.modified_ms = record.modified_unix_ms;
  give_version(record.version, &info.version);
  return visit(context, &info);
}

// Content is not left where it was shown.
struct WipedBytes {
  Bytes content;
  explicit WipedBytes(Bytes from) : content(std::move(from)) {}
  WipedBytes(const WipedBytes&) = delete;
  WipedBytes& operator=(const WipedBytes&) = delete;
  ~WipedBytes() {
    if (!content.empty()) explicit_bzero(content.data(), content.size());
  }
};

// Why a buffer did not do: too small, or another reason. No value: it would now.
Result<std::optional<int>> what_is_wrong(const Scope& scope, std::string_view name,
                                         std::size_t capacity, std::size_t* size) {
  QUIETUS_TRY_AS(const auto info, scope.stat(name));
  if (!info) return std::optional<int>(QUIETUS_ABSENT);
  if (info->size_bytes <= capacity) return std::optional<int>();
  *size = static_cast<std::size_t>(info->size_bytes);
  return std::optional<int>(QUIETUS_TOO_SMALL);
}

Answer read_into(const Scope& scope, std::string_view name, MutableBytes into, std::size_t* size) {
  // Again when it was replaced by a shorter one between the two looks.
  for (;;) {
    const auto got = scope.get_into(name, into);
    if (got && !*got) return QUIETUS_ABSENT;
    if (got) {
      *size = **got;
      return QUIETUS_OK;
    }
    if (got.error().code() != ErrorCode::kInvalidArgument) return got.error();
    QUIETUS_TRY_AS(const auto wrong, what_is_wrong(scope, name, into.size(), size));
    if (wrong) return *wrong;
  }
}

}  // namespace

int quietus_put(quietus_scope scope, const char* name, const void* data, size_t size,
                const quietus_put_options* how, quietus_record_version* version) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Scope>(scope));
    QUIETUS_TRY_AS(const auto called, text(name, "the name"));
    QUIETUS_TRY_AS(const ByteView content, bytes(data, size));
    QUIETUS_TRY_AS(const PutOptions wanted, put_options(how));
    QUIETUS_TRY_AS(const Version written, held->put(called, content, wanted));
    give_version(written, version);
    return QUIETUS_OK;
  });
}

int quietus_put_stream(quietus_scope scope, const char* name, quietus_source source, void* context,
                       const quietus_put_options* how, quietus_record_version* version) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Scope>(scope));
    QUIETUS_TRY_AS(const auto called, text(name, "the name"));
    QUIETUS_TRY(not_null(reinterpret_cast<const void*>(source), "the source"));
    QUIETUS_TRY_AS(const PutOptions wanted, put_options(how));
    Stop stop;
    const auto written = held->put_stream(called, source_of(source, context, stop), wanted);
    if (written) give_version(*written, version);
    return stop.answer(written ? Result<void>() : written.error());
  });
}

int quietus_get(quietus_scope scope, const char* name, void* buffer, size_t capacity,
                size_t* size) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY(not_null(size, "size"));
    *size = 0;
    if (capacity != 0) QUIETUS_TRY(not_null(buffer, "the buffer"));
    QUIETUS_TRY_AS(const auto held, find<Scope>(scope));
    QUIETUS_TRY_AS(const auto called, text(name, "the name"));
    const MutableBytes into(static_cast<std::uint8_t*>(buffer), capacity);
    return read_into(*held, called, into, size);
  });
}

int quietus_get_view(quietus_scope scope, const char* name, quietus_sink view, void* context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Scope>(scope));
    QUIETUS_TRY_AS(const auto called, text(name, "the name"));
    QUIETUS_TRY(not_null(reinterpret_cast<const void*>(view), "the callback"));
    QUIETUS_TRY_AS(auto got, held->get(called));
    if (!got) return QUIETUS_ABSENT;
    const WipedBytes shown(std::move(*got));
    return view(context, shown.content.data(), shown.content.size()) == 0 ? QUIETUS_OK
                                                                          : QUIETUS_STOPPED;
  });
}

int quietus_get_stream(quietus_scope scope, const char* name, quietus_sink sink, void* context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Scope>(scope));
    QUIETUS_TRY_AS(const auto called, text(name, "the name"));
    QUIETUS_TRY(not_null(reinterpret_cast<const void*>(sink), "the callback"));
    Stop stop;
    const auto found = held->get_stream(called, sink_of(sink, context, stop));
    if (found && !*found) return QUIETUS_ABSENT;
    return stop.answer(found ? Result<void>() : found.error());
  });
}

int quietus_stat(quietus_scope scope, const char* name, quietus_record_visit visit, void* context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Scope>(scope));
    QUIETUS_TRY_AS(const auto called, text(name, "the name"));
    QUIETUS_TRY(not_null(reinterpret_cast<const void*>(visit), "the callback"));
    QUIETUS_TRY_AS(const auto found, held->stat(called));
    if (!found) return QUIETUS_ABSENT;
    return show(*found, visit, context) == 0 ? QUIETUS_OK : QUIETUS_STOPPED;
  });
}

int quietus_remove(quietus_scope scope, const char* name, const quietus_record_version* expected) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Scope>(scope));
    QUIETUS_TRY_AS(const auto called, text(name, "the name"));
    QUIETUS_TRY_AS(const bool removed, held->remove(called, version_from(expected)));
    return removed ? QUIETUS_OK : QUIETUS_ABSENT;
  });
}

int quietus_list(quietus_scope scope, const char* prefix, quietus_record_visit visit,
                 void* context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Scope>(scope));
    QUIETUS_TRY_AS(const auto begins, text(prefix, "the prefix"));
    QUIETUS_TRY(not_null(reinterpret_cast<const void*>(visit), "the callback"));
    bool stopped = false;
    QUIETUS_TRY(held->list(begins, [&](const RecordInfo& record) -> Result<bool> {
      stopped = show(record, visit, context) != 0;
      return !stopped;
    }));
    return stopped ? QUIETUS_STOPPED : QUIETUS_OK;
  });
}

int quietus_new_batch(quietus_batch* batch) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY(not_null(batch, "batch"));
    give_handle(std::make_shared<SharedBatch>(), batch);
    return QUIETUS_OK;
  });
}

int quietus_batch_put(quietus_batch batch, const char* name, const void* data, size_t size,
                      const quietus_put_options* how) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<SharedBatch>(batch));
    QUIETUS_TRY_AS(const auto called, text(name, "the name"));
    QUIETUS_TRY_AS(const ByteView content, bytes(data, size));
    QUIETUS_TRY_AS(PutOptions wanted, put_options(how));
    const std::lock_guard lock(held->mutex);
    held->batch.put(called, content, std::move(wanted));
    return QUIETUS_OK;
  });
}

int quietus_batch_remove(quietus_batch batch, const char* name) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<SharedBatch>(batch));
    QUIETUS_TRY_AS(const auto called, text(name, "the name"));
    const std::lock_guard lock(held->mutex);
    held->batch.remove(called);
    return QUIETUS_OK;
  });
}

int quietus_write(quietus_scope scope, quietus_batch batch) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto into, find<Scope>(scope));
    QUIETUS_TRY_AS(const auto held, find<SharedBatch>(batch));
    const std::lock_guard lock(held->mutex);
    QUIETUS_TRY(into->write(held->batch));
    return QUIETUS_OK;
  });
}

int quietus_close_batch(quietus_batch batch) {
  return guarded([&] { return close<SharedBatch>(batch); });
}

int quietus_seal(quietus_scope scope, const void* data, size_t data_size, void* token,
                 size_t capacity, size_t* size) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Scope>(scope));
    QUIETUS_TRY_AS(const ByteView content, bytes(data, data_size));
    QUIETUS_TRY_AS(const Bytes sealed, held->seal(content));
    return give_bytes(sealed, token, capacity, size);
  });
}

int quietus_unseal(quietus_scope scope, const void* token, size_t token_size, void* data,
                   size_t capacity, size_t* size) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Scope>(scope));
    QUIETUS_TRY_AS(const ByteView sealed, bytes(token, token_size));
    QUIETUS_TRY_AS(Bytes opened, held->open(sealed));
    const WipedBytes shown(std::move(opened));
    return give_bytes(shown.content, data, capacity, size);
  });
}

int quietus_pseudonym(quietus_scope scope, const void* value, size_t size, uint8_t pseudonym[16]) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY(not_null(pseudonym, "pseudonym"));
    QUIETUS_TRY_AS(const auto held, find<Scope>(scope));
    QUIETUS_TRY_AS(const ByteView content, bytes(value, size));
    QUIETUS_TRY_AS(const Pseudonym made, held->pseudonym(content));
    std::copy(made.begin(), made.end(), pseudonym);
    return QUIETUS_OK;
  });
}
