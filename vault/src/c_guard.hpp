// The border between C and the library: handles that are looked up and never followed, errors that
// become numbers, structs whose size says how much of them the caller knows. Nothing passes it that
// is thrown (quietus.h, conventions).
#pragma once

#include <quietus/operations.h>
#include <quietus/vault.hpp>

#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <variant>

namespace quietus::c {

// QUIETUS_OK, or another answer that is no error.
using Answer = Result<int>;

// Remembers the error for this thread; its code, negated.
int fail(const Error& error) noexcept;
// The same for whatever is being thrown.
int fail_by_exception() noexcept;

template <class Body>
int guarded(const Body& body) noexcept {
  try {
    const Answer answer = body();
    return answer ? *answer : fail(answer.error());
  } catch (...) {
    return fail_by_exception();
  }
}

// Shows something that is done: whatever becomes of the showing, it is.
template <class Show>
void show_done(const Show& show) noexcept {
  try {
    show();
  } catch (...) {
    static_cast<void>(fail_by_exception());
  }
}

// ---- what comes in ------------------------------------------------------------------------------

// kInvalidArgument, with what it is, when it is NULL.
Result<std::string_view> text(const char* given, std::string_view what);
Result<ByteView> bytes(const void* given, std::size_t size);
Result<std::vector<std::string>> paths(const char* const* given, std::size_t count);
Result<void> not_null(const void* given, std::string_view what);

// What a struct of the caller says about its size. kInvalidArgument when that cannot be: it was
// never set, is larger than any struct will be, or ends within a member, of which half would be
// read.
Result<std::size_t> struct_size(const void* given, std::size_t alignment);

// The options that the caller knows of, all others zero. kUnsupported: of a later version.
template <class T>
Result<T> options(const T* given) {
  T known{};
  known.size = sizeof(T);
  if (given == nullptr) return known;
  QUIETUS_TRY_AS(const std::size_t size, struct_size(given, alignof(T)));
  const auto* const raw = reinterpret_cast<const std::uint8_t*>(given);
  for (std::size_t i = sizeof(T); i < size; ++i)
    if (raw[i] != 0)
      return Error(ErrorCode::kUnsupported, "an option of a later version of the library");
  std::memcpy(&known, given, std::min(size, sizeof(T)));
  known.size = sizeof(T);
  return known;
}

// ---- what goes out ------------------------------------------------------------------------------

// As much of it as the caller knows, and zeros for what only a later version does.
template <class T>
Result<void> give(T* out, const T& answer) {
  QUIETUS_TRY(not_null(out, "the struct for the answer"));
  QUIETUS_TRY_AS(const std::size_t size, struct_size(out, alignof(T)));
  auto* const raw = reinterpret_cast<std::uint8_t*>(out);
  std::memcpy(raw, &answer, std::min(size, sizeof(T)));
  if (size > sizeof(T)) std::memset(raw + sizeof(T), 0, size - sizeof(T));
  std::memcpy(raw, &size, sizeof size);
  return {};
}

// Into the caller's buffer, or kept as it is.
Answer give_bytes(ByteView content, void* buffer, std::size_t capacity, std::size_t* size);
Answer give_text(std::string_view content, char* buffer, std::size_t capacity, std::size_t* size);
void give_version(const Version& version, quietus_record_version* out) noexcept;

// A callback of the caller: the error by which it stops what calls it, and whether it did.
class Stop {
 public:
  Result<void> check(int answered) noexcept {
    if (answered == 0) return {};
    stopped_ = true;
    return Error(ErrorCode::kRefused, "stopped by the caller");
  }
  // What a call comes to that may have been stopped.
  Answer answer(const Result<void>& done) const {
    if (stopped_) return QUIETUS_STOPPED;
    return done ? Answer(QUIETUS_OK) : Answer(done.error());
  }

 private:
  bool stopped_ = false;
};

// What the caller reads from and writes to. Borrowed, as `stop` is: for the call alone.
ByteSource source_of(quietus_source source, void* context, Stop& stop);
ByteSink sink_of(quietus_sink sink, void* context, Stop& stop);

Result<OperatorSpec> operator_from(const quietus_operator* person);
// By its code; kInvalidArgument names those there are.
Result<RestrictedUse> lawful_use(std::string_view code);

// ---- handles ------------------------------------------------------------------------------------

struct SharedBatch {
  std::mutex mutex;
  Batch batch;
};
using Held =
    std::variant<std::shared_ptr<Vault>, std::shared_ptr<Scope>, std::shared_ptr<SharedBatch>>;

// A number that no handle had before.
std::uintptr_t hold(Held held);
std::optional<Held> held_by(std::uintptr_t handle);
// It is no handle from now on. Kinds differ by their index in Held.
std::optional<Held> let_go(std::uintptr_t handle, std::size_t kind);

Error no_handle();
// kUnavailable: it was opened before a fork(), by the parent.
Result<void> not_inherited(std::uintptr_t handle);

template <class T, class Handle>
Result<std::shared_ptr<T>> find(Handle handle) {
  const auto number = reinterpret_cast<std::uintptr_t>(handle);
  const auto held = held_by(number);
  const auto* const found = held ? std::get_if<std::shared_ptr<T>>(&*held) : nullptr;
  if (found == nullptr) return no_handle();
  if constexpr (!std::is_same_v<T, SharedBatch>) QUIETUS_TRY(not_inherited(number));
  return *found;
}

template <class T, class Handle>
Answer close(Handle handle) {
  if (handle == nullptr) return QUIETUS_OK;
  const std::size_t kind = Held(std::shared_ptr<T>()).index();
  return let_go(reinterpret_cast<std::uintptr_t>(handle), kind) ? Answer(QUIETUS_OK) : no_handle();
}

template <class Handle>
void give_handle(Held held, Handle* out) {
  *out = reinterpret_cast<Handle>(hold(std::move(held)));  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace quietus::c
