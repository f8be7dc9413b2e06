#include "c_guard.hpp"

#include <pthread.h>

#include <algorithm>
#include <memory>
#include <new>
#include <shared_mutex>
#include <unordered_map>

#include "crypto/random.hpp"

namespace quietus::c {
namespace {

struct LastError {
  int code = QUIETUS_OK;
  std::string text;
};
thread_local LastError last_error;

void remember(int code, std::string_view text) noexcept {
  last_error.code = code;
  try {
    last_error.text = text;
  } catch (...) {
    last_error.text.clear();  // there is no memory to say so
  }
}

// Never destroyed: handles may be used until the process ends.
class HandleTable {
 public:
  HandleTable() {
    random_bytes({reinterpret_cast<std::uint8_t*>(&next_), sizeof next_ / 2});
    // A child of fork() finds the table as it was, and not locked by a thread that it does not
    // have.
    (void)pthread_atfork([] { table().mutex_.lock(); }, [] { table().mutex_.unlock(); },
                         [] { table().after_fork_in_child(); });
  }

  static HandleTable& table() {
    static auto* const only = new HandleTable;
    return *only;
  }

  std::uintptr_t add(Held held) {
    const std::unique_lock lock(mutex_);
    const std::uintptr_t handle = ++next_;
    held_.emplace(handle, std::move(held));
    return handle;
  }

  std::optional<Held> find(std::uintptr_t handle) const {
    const std::shared_lock lock(mutex_);
    const auto found = held_.find(handle);
    return found == held_.end() ? std::nullopt : std::optional(found->second);
  }

  bool inherited(std::uintptr_t handle) const {
    const std::shared_lock lock(mutex_);
    return handle <= inherited_;
  }

  std::optional<Held> remove(std::uintptr_t handle, std::size_t kind) {
    const std::unique_lock lock(mutex_);
    const auto found = held_.find(handle);
    if (found == held_.end() || found->second.index() != kind) return std::nullopt;
    std::optional<Held> held(std::move(found->second));
    held_.erase(found);
    return held;  // what it holds ends outside of the lock
  }

 private:
  // The lock knows its holder by the number of the thread, which is another one in the child: there
  // it cannot be unlocked, and is made anew.
  void after_fork_in_child() {
    std::construct_at(&mutex_);
    inherited_ = next_;
  }

  mutable std::shared_mutex mutex_;
  std::unordered_map<std::uintptr_t, Held> held_;
  std::uintptr_t next_ = 1;
  std::uintptr_t inherited_ = 0;  // handles up to this one are of a parent process
};

}  // namespace

int fail(const Error& error) noexcept {
  const int code = -static_cast<int>(error.code());
  remember(code, error.context());
  return code;
}

int fail_by_exception() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    remember(QUIETUS_EINTERNAL, "out of memory");
  } catch (...) {
    remember(QUIETUS_EINTERNAL, "something was thrown");
  }
  return QUIETUS_EINTERNAL;
}

Result<void> not_null(const void* given, std::string_view what) {
  if (given != nullptr) return {};
  return Error(ErrorCode::kInvalidArgument, std::string(what) + " is NULL");
}

Result<std::string_view> text(const char* given, std::string_view what) {
  QUIETUS_TRY(not_null(given, what));
  return std::string_view(given);
}

Result<ByteView> bytes(const void* given, std::size_t size) {
  if (given == nullptr && size != 0)
    return Error(ErrorCode::kInvalidArgument, "the data is NULL, and its size is not 0");
  return ByteView(static_cast<const std::uint8_t*>(given), size);
}

Result<std::vector<std::string>> paths(const char* const* given, std::size_t count) {
  if (count != 0) QUIETUS_TRY(not_null(given, "the list of paths"));
  std::vector<std::string> found;
  for (std::size_t i = 0; i < count; ++i) {
    QUIETUS_TRY_AS(const std::string_view path, text(given[i], "a path"));
    found.emplace_back(path);
  }
  return found;
}

Result<std::size_t> struct_size(const void* given, std::size_t alignment) {
  constexpr std::size_t kLargest = 4096;
  std::size_t size = 0;
  std::memcpy(&size, given, sizeof size);
  if (size < sizeof size || size > kLargest || size % alignment != 0)
    return Error(ErrorCode::kInvalidArgument, "the size of a struct is not set");
  return size;
}

Answer give_bytes(ByteView content, void* buffer, std::size_t capacity, std::size_t* size) {
  QUIETUS_TRY(not_null(size, "size"));
  *size = content.size();
  if (content.size() > capacity) return QUIETUS_TOO_SMALL;
  if (!content.empty()) {
    QUIETUS_TRY(not_null(buffer, "the buffer"));
    std::memcpy(buffer, content.data(), content.size());
  }
  return QUIETUS_OK;
}

Answer give_text(std::string_view content, char* buffer, std::size_t capacity, std::size_t* size) {
  QUIETUS_TRY(not_null(size, "size"));
  *size = content.size();
  if (content.size() >= capacity) return QUIETUS_TOO_SMALL;
  QUIETUS_TRY(not_null(buffer, "the buffer"));
  std::copy(content.begin(), content.end(), buffer);
  buffer[content.size()] = '\0';
  return QUIETUS_OK;
}

void give_version(const Version& version, quietus_record_version* out) noexcept {
  if (out != nullptr) std::copy(version.begin(), version.end(), std::begin(out->bytes));
}

ByteSource source_of(quietus_source source, void* context, Stop& stop) {
  return [source, context, &stop](MutableBytes into) -> Result<std::size_t> {
    // Not 0: a source that ended early, as by an exception of its language, is no end.
    std::size_t got = SIZE_MAX;
    QUIETUS_TRY(stop.check(source(context, into.data(), into.size(), &got)));
    if (got > into.size())
      return Error(ErrorCode::kInvalidArgument,
                   "the source wrote more than there is room, or did not say how much");
    return got;
  };
}

ByteSink sink_of(quietus_sink sink, void* context, Stop& stop) {
  return [sink, context, &stop](ByteView piece) {
    return stop.check(sink(context, piece.data(), piece.size()));
  };
}

Result<OperatorSpec> operator_from(const quietus_operator* person) {
  QUIETUS_TRY(not_null(person, "the operator"));
  QUIETUS_TRY_AS(const quietus_operator given, options(person));
  OperatorSpec spec;
  QUIETUS_TRY_AS(spec.name, text(given.name, "the operator's name"));
  QUIETUS_TRY_AS(spec.keys, text(given.keys, "the operator's keys"));
  QUIETUS_TRY_AS(spec.roles, paths(given.roles, given.role_count));
  spec.from_unix_ms = given.from_ms;
  spec.until_unix_ms = given.until_ms;
  return spec;
}

Result<RestrictedUse> lawful_use(std::string_view code) {
  for (const RestrictedUse use : {RestrictedUse::kConsent, RestrictedUse::kLegalClaims,
                                  RestrictedUse::kRightsOfOthers, RestrictedUse::kPublicInterest})
    if (name_of(use) == code) return use;
  return Error(ErrorCode::kInvalidArgument,
               "a use is one of consent, legal-claims, rights-of-others, public-interest");
}

Error no_handle() {
  return {ErrorCode::kInvalidArgument,
          "the handle is none of this kind: it was closed, or never opened"};
}

Result<void> not_inherited(std::uintptr_t handle) {
  if (!HandleTable::table().inherited(handle)) return {};
  return Error(ErrorCode::kUnavailable, "opened before fork; open it anew in the child");
}

std::uintptr_t hold(Held held) {
  return HandleTable::table().add(std::move(held));
}

std::optional<Held> held_by(std::uintptr_t handle) {
  return HandleTable::table().find(handle);
}

std::optional<Held> let_go(std::uintptr_t handle, std::size_t kind) {
  return HandleTable::table().remove(handle, kind);
}

}  // namespace quietus::c

using namespace quietus;

const char* quietus_version(void) {
  return QUIETUS_VERSION;
}

const char* quietus_code_name(int code) {
  switch (code) {
    case QUIETUS_OK: return "ok";
    case QUIETUS_ABSENT: return "absent";
    case QUIETUS_STOPPED: return "stopped";
    case QUIETUS_TOO_SMALL: return "too small";
    default: break;
  }
  if (code >= 0 || code < QUIETUS_ECHANGED) return "unknown";
  return name_of(static_cast<ErrorCode>(-code)).data();
}

const char* quietus_last_error(void) {
  return c::last_error.text.c_str();
}

int quietus_last_error_code(void) {
  return c::last_error.code;
}
