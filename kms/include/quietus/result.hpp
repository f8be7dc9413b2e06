// Views of bytes; and a value, or the reason there is none. The library throws nothing of its own:
// every call that can fail returns a Result, and the compiler warns when one is ignored. Where
// memory runs out, the standard library throws std::bad_alloc through it; what was begun is undone.
#pragma once

#include <quietus/export.h>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace quietus {

// Bytes that are not secret: ciphertext, ids, public keys, and data on its way to or from the
// caller.
using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;  // read-only, borrowed for the call
using MutableBytes = std::span<std::uint8_t>;    // the caller's buffer, borrowed for the call

// The same memory, seen as bytes or as text.
inline ByteView as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::string_view as_text(ByteView bytes) noexcept {  // and back
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What went wrong, in the terms of what the caller can do about it. Numbers are frozen: they are
// the return codes of the C ABI too (negated). Add at the end only.
enum class ErrorCode : int {
  kInvalidArgument = 1,     // the call itself is wrong; correct it
  kNotFound = 2,            // no such scope, record or certificate; it may never have existed
  kErased = 3,              // it existed and was crypto-erased; final
  kRestricted = 4,          // processing is restricted; nothing is lost
  kHeld = 5,                // a legal hold blocks it
  kRefused = 6,             // wrong state, or a guard stopped it; the text says which
  kAlreadyExists = 7,       // the name is taken
  kConflict = 8,            // compare-and-set: somebody else wrote first; read again
  kWrongKey = 9,            // the unlock secret is not the right one
  kCorrupt = 10,            // stored bytes are damaged or were tampered with
  kRolledBack = 11,         // an older copy of the store was put back; nothing was touched
  kUnverified = 12,         // a certificate, proof or log does not verify
  kBusy = 13,               // somebody else holds it; try again
  kFull = 14,               // disk or map exhausted; nothing was changed
  kUnavailable = 15,        // cannot be reached now; a write may or may not have happened
  kUnsupported = 16,        // written by a newer version, or not offered by this platform
  kErasureIncomplete = 17,  // destruction began, is recorded and will resume; never a success
  kIo = 18,                 // the operating system refused; state is as before the call
  kInternal = 19,           // a defect of the library
  kChanged = 20,            // the object was replaced while it was being read; read again
};

// The name of a code, for example "erased". Never empty.
QUIETUS_EXPORT std::string_view name_of(ErrorCode code) noexcept;

// A code and one lower-case line of context: what was being done, where, and what to do. It never
// holds secrets, contents, or names of scopes or records.
class [[nodiscard]] Error {
 public:
  // Of a code and its line of context.
  Error(ErrorCode code, std::string context) : code_(code), context_(std::move(context)) {}

  ErrorCode code() const noexcept { return code_; }                 // what the caller can act on
  const std::string& context() const noexcept { return context_; }  // the line
  // Both, for people: "held: a legal hold is in the way".
  std::string text() const { return std::string(name_of(code_)).append(": ").append(context_); }

  // The same error seen from one layer further out: "doing: context".
  Error within(std::string_view doing) && {
    context_.insert(0, ": ").insert(0, doing);
    return std::move(*this);
  }

 private:
  ErrorCode code_;
  std::string context_;
};

// A value, or the error that there is in its place.
template <class T>
class [[nodiscard]] Result {
 public:
  // Both convert, so that functions return either.
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool ok() const noexcept { return state_.index() == 0; }  // there is a value
  explicit operator bool() const noexcept { return ok(); }  // the same

  // Requires: ok().
  const T& value() const& noexcept {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T& value() & noexcept {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T value() && noexcept {
    assert(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  const T& operator*() const& noexcept { return value(); }  // as value()
  T& operator*() & noexcept { return value(); }
  T operator*() && noexcept { return std::move(*this).value(); }
  const T* operator->() const noexcept { return &value(); }  // as value()
  T* operator->() noexcept { return &value(); }

  // Requires: !ok().
  const Error& error() const& noexcept {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }
  Error error() && noexcept {
    assert(!ok());
    return std::move(*std::get_if<1>(&state_));
  }

  // Of an error, Error::within(); a value stays as it is.
  Result within(std::string_view doing) && {
    if (ok()) return std::move(*this);
    return std::move(*this).error().within(doing);
  }

 private:
  std::variant<T, Error> state_;
};

// Done, or the error that there is instead.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  // An error converts; done is made without.
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool ok() const noexcept { return state_.index() == 0; }  // it is done
  explicit operator bool() const noexcept { return ok(); }  // the same

  // Requires: !ok().
  const Error& error() const& noexcept {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }
  Error error() && noexcept {
    assert(!ok());
    return std::move(*std::get_if<1>(&state_));
  }

  // Of an error, Error::within().
  Result within(std::string_view doing) && {
    if (ok()) return {};
    return std::move(*this).error().within(doing);
  }

 private:
  std::variant<std::monostate, Error> state_;
};

}  // namespace quietus

#define QUIETUS_CAT_(a, b) a##b
#define QUIETUS_CAT(a, b) QUIETUS_CAT_(a, b)

// NOLINTBEGIN(bugprone-macro-parentheses): the arguments are declarations and names

// QUIETUS_TRY(expr): returns the error of expr from this function, if there is one.
#define QUIETUS_TRY(expr) QUIETUS_TRY_(QUIETUS_CAT(quietus_tried_, __COUNTER__), expr)
#define QUIETUS_TRY_(tried, expr)                                     \
  do {                                                                \
    if (auto tried = (expr); !tried) return std::move(tried).error(); \
  } while (false)

// QUIETUS_TRY_AS(auto x, expr): returns the error of expr, or declares x with its value. It expands
// to several statements, so it stands inside braces only.
#define QUIETUS_TRY_AS(declaration, expr) \
  QUIETUS_TRY_AS_(QUIETUS_CAT(quietus_tried_, __COUNTER__), declaration, expr)
#define QUIETUS_TRY_AS_(tried, declaration, expr) \
  auto tried = (expr);                            \
  if (!tried) return std::move(tried).error();    \
  declaration = std::move(tried).value()
// NOLINTEND(bugprone-macro-parentheses)
