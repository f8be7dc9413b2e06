#include "c_guard.hpp"

#include <pthread.h>

#include <algorithm>
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
    // have. It takes a new lock: it could not unlock what a thread with another id had locked.
    (void)pthread_atfork([] { table().mutex_.lock(); }, [] { table().mutex_.unlock(); },
                         [] { new (&table().mutex_) std::shared_mutex; });
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

  std::optional<Held> remove(std::uintptr_t handle, std::size_t kind) {
    const std::unique_lock lock(mutex_);
    const auto found = held_.find(handle);
    if (found == held_.end() || found->second.index() != kind) return std::nullopt;
    std::optional<Held> held(std::move(found->second));
    held_.erase(found);
    return held;  // what it holds ends outside of the lock
  }

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::uintptr_t, Held> held_;
  std::uintptr_t next_ = 1;
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

Error no_handle() {
  return {ErrorCode::kInvalidArgument,
          "the handle is none of this kind: it was closed, or never opened"};
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
