// Values of JavaScript on their way in and out.
#pragma once

#include <node_api.h>
#include <quietus/quietus.h>

#include <array>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "secret.hpp"

namespace quietus::node {

// Thrown in C++ while an exception of JavaScript is pending; caught where JavaScript called.
struct Raised {};

// Raises what Node-API complains about.
void check(napi_env env, napi_status status);
[[noreturn]] void raise_type_error(napi_env env, const char* message);
// An error of the library, as {number, message}: index.js makes its own class of it.
napi_value failure(napi_env env, int code, std::string_view message);
[[noreturn]] void raise_failure(napi_env env, int code, std::string_view message);
// For a call that was made on this thread.
void check_answer(napi_env env, int code);

// ---- out ----------------------------------------------------------------------------------------

napi_value null(napi_env env);
napi_value flag(napi_env env, bool value);
napi_value text(napi_env env, std::string_view value);
// Counts and sizes, none of which comes near 2^53.
napi_value number(napi_env env, std::uint64_t value);
// As logs and certificates write it: 16 hex digits.
napi_value id(napi_env env, std::uint64_t value);
// A Date; null for 0.
napi_value time(napi_env env, std::int64_t unix_ms);
// A Buffer with a copy.
napi_value buffer(napi_env env, const void* data, std::size_t size);
napi_value buffer(napi_env env, const Secret& content);
napi_value version(napi_env env, const quietus_record_version& value);

// As a property of its own: a plain write would go to a setter that somebody put into a prototype.
void define(napi_env env, napi_value object, napi_value name, napi_value value);

class Object {
 public:
  explicit Object(napi_env env);
  Object& set(const char* name, napi_value value);
  napi_value value() const { return value_; }

 private:
  napi_env env_;
  napi_value value_ = nullptr;
};

// Closed at its end: a list may have more elements than one scope should keep.
class HandleScope {
 public:
  explicit HandleScope(napi_env env);
  ~HandleScope();
  HandleScope(const HandleScope&) = delete;
  HandleScope& operator=(const HandleScope&) = delete;

 private:
  napi_env env_;
  napi_handle_scope scope_ = nullptr;
};

template <class List, class Show>
napi_value array(napi_env env, const List& list, const Show& show) {
  napi_value made = nullptr;
  check(env, napi_create_array_with_length(env, list.size(), &made));
  std::uint32_t at = 0;
  for (const auto& each : list) {
    const HandleScope scope(env);
    define(env, made, text(env, std::to_string(at++)), show(env, each));
  }
  return made;
}

// What `make()` gives; nullptr, and nothing raised, when it cannot be made.
template <class Make>
napi_value if_possible(napi_env env, const Make& make) {
  try {
    return make();
  } catch (const Raised&) {
    napi_value raised = nullptr;
    static_cast<void>(napi_get_and_clear_last_exception(env, &raised));
    return nullptr;
  } catch (const std::exception&) {
    return nullptr;
  }
}

// For a part of an answer without which the rest still has to be told: null then.
template <class Make>
napi_value or_null(napi_env env, const Make& make) {
  napi_value const made = if_possible(env, make);
  return made == nullptr ? null(env) : made;
}

// ---- in -----------------------------------------------------------------------------------------

// What a function was called with. A value of the wrong type raises a TypeError: index.js has
// looked before, and says it better.
class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info);

  quietus_vault vault(std::size_t at) const { return handle<quietus_vault>(at); }
  quietus_scope scope(std::size_t at) const { return handle<quietus_scope>(at); }
  quietus_batch batch(std::size_t at) const { return handle<quietus_batch>(at); }
  std::uint64_t big(std::size_t at) const;
  std::int64_t integer(std::size_t at) const;
  bool flag(std::size_t at) const;
  std::string text(std::size_t at) const;
  std::vector<std::string> texts(std::size_t at) const;
  // A copy: JavaScript goes on with its own while another thread works.
  Secret bytes(std::size_t at) const;
  // Without value for null and undefined.
  std::optional<std::string> optional_text(std::size_t at) const;
  std::optional<quietus_record_version> optional_version(std::size_t at) const;

  void* data() const { return data_; }

 private:
  // The library answers for a number that is no handle.
  template <class Handle>
  Handle handle(std::size_t at) const {
    return reinterpret_cast<Handle>(big(at));  // NOLINT(performance-no-int-to-ptr)
  }
  std::string text_of(napi_value value) const;
  bool given(std::size_t at) const;

  static constexpr std::size_t kMost = 8;
  napi_env env_;
  std::array<napi_value, kMost> values_{};  // undefined where none was given
  void* data_ = nullptr;
};

inline const char* pointer_to(const std::optional<std::string>& text) {
  return text ? text->c_str() : nullptr;
}

}  // namespace quietus::node
