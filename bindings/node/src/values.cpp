#include "values.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace quietus::node {

void check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  bool pending = false;
  // When even this fails, the environment is ending, and nobody will look.
  if (napi_is_exception_pending(env, &pending) == napi_ok && !pending)
    static_cast<void>(napi_throw_error(env, nullptr, "Node-API refused a call"));
  throw Raised();
}

void raise_type_error(napi_env env, const char* message) {
  static_cast<void>(napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message));
  throw Raised();
}

napi_value failure(napi_env env, int code, std::string_view message) {
  napi_value number = nullptr;
  check(env, napi_create_int32(env, code, &number));
  return Object(env).set("number", number).set("message", text(env, message)).value();
}

void raise_failure(napi_env env, int code, std::string_view message) {
  static_cast<void>(napi_throw(env, failure(env, code, message)));
  throw Raised();
}

void check_answer(napi_env env, int code) {
  if (code < 0) raise_failure(env, code, quietus_last_error());
}

// ---- out ----------------------------------------------------------------------------------------

napi_value null(napi_env env) {
  napi_value made = nullptr;
  check(env, napi_get_null(env, &made));
  return made;
}

napi_value flag(napi_env env, bool value) {
  napi_value made = nullptr;
  check(env, napi_get_boolean(env, value, &made));
  return made;
}

napi_value text(napi_env env, std::string_view value) {
  napi_value made = nullptr;
  check(env, napi_create_string_utf8(env, value.data(), value.size(), &made));
  return made;
}

napi_value number(napi_env env, std::uint64_t value) {
  napi_value made = nullptr;
  check(env, napi_create_double(env, static_cast<double>(value), &made));
  return made;
}

napi_value id(napi_env env, std::uint64_t value) {
  std::array<char, 17> digits{};
  static_cast<void>(std::snprintf(digits.data(), digits.size(), "%016llx",
                                  static_cast<unsigned long long>(value)));
  return text(env, digits.data());
}

napi_value time(napi_env env, std::int64_t unix_ms) {
  if (unix_ms == 0) return null(env);
  constexpr std::int64_t kLast = 8'640'000'000'000'000;  // what a Date can hold
  napi_value made = nullptr;
  const auto shown = static_cast<double>(std::clamp(unix_ms, -kLast, kLast));
  check(env, napi_create_date(env, shown, &made));
  return made;
}

napi_value buffer(napi_env env, const void* data, std::size_t size) {
  napi_value made = nullptr;
  const void* const from = size == 0 ? "" : data;
  check(env, napi_create_buffer_copy(env, size, from, nullptr, &made));
  return made;
}

napi_value buffer(napi_env env, const Secret& content) {
  return buffer(env, content.data(), content.size());
}

napi_value version(napi_env env, const quietus_record_version& value) {
  return buffer(env, value.bytes, sizeof value.bytes);
}

void define(napi_env env, napi_value object, napi_value name, napi_value value) {
  napi_property_descriptor property{};
  property.name = name;
  property.value = value;
  property.attributes = napi_default_jsproperty;
  check(env, napi_define_properties(env, object, 1, &property));
}

Object::Object(napi_env env) : env_(env) {
  check(env, napi_create_object(env, &value_));
}

Object& Object::set(const char* name, napi_value value) {
  define(env_, value_, text(env_, name), value);
  return *this;
}

HandleScope::HandleScope(napi_env env) : env_(env) {
  check(env, napi_open_handle_scope(env, &scope_));
}

HandleScope::~HandleScope() {
  static_cast<void>(napi_close_handle_scope(env_, scope_));
}

// ---- in -----------------------------------------------------------------------------------------

Arguments::Arguments(napi_env env, napi_callback_info info) : env_(env) {
  std::size_t count = kMost;
  check(env, napi_get_cb_info(env, info, &count, values_.data(), nullptr, &data_));
}

std::uint64_t Arguments::big(std::size_t at) const {
  std::uint64_t value = 0;
  bool lossless = false;
  if (napi_get_value_bigint_uint64(env_, values_[at], &value, &lossless) != napi_ok || !lossless)
    raise_type_error(env_, "no handle");
  return value;
}

std::int64_t Arguments::integer(std::size_t at) const {
  std::int64_t value = 0;
  if (napi_get_value_int64(env_, values_[at], &value) != napi_ok)
    raise_type_error(env_, "an argument must be a number");
  return value;
}

bool Arguments::flag(std::size_t at) const {
  bool value = false;
  if (napi_get_value_bool(env_, values_[at], &value) != napi_ok)
    raise_type_error(env_, "an argument must be true or false");
  return value;
}

std::string Arguments::text_of(napi_value value) const {
  std::size_t size = 0;
  if (napi_get_value_string_utf8(env_, value, nullptr, 0, &size) != napi_ok)
    raise_type_error(env_, "an argument must be a string");
  std::string found(size, '\0');  // it has room for the NUL
  check(env_, napi_get_value_string_utf8(env_, value, found.data(), size + 1, &size));
  if (found.find('\0') != std::string::npos)
    raise_failure(env_, QUIETUS_EINVALID, "a text has a NUL in it");
  return found;
}

std::string Arguments::text(std::size_t at) const {
  return text_of(values_[at]);
}

std::vector<std::string> Arguments::texts(std::size_t at) const {
  std::uint32_t count = 0;
  if (napi_get_array_length(env_, values_[at], &count) != napi_ok)
    raise_type_error(env_, "an argument must be an array");
  std::vector<std::string> found;
  for (std::uint32_t i = 0; i < count; ++i) {
    const HandleScope scope(env_);
    napi_value each = nullptr;
    check(env_, napi_get_element(env_, values_[at], i, &each));
    found.push_back(text_of(each));
  }
  return found;
}

Secret Arguments::bytes(std::size_t at) const {
  bool is_array = false;
  check(env_, napi_is_typedarray(env_, values_[at], &is_array));
  if (!is_array) raise_type_error(env_, "an argument must be a Uint8Array");
  napi_typedarray_type type{};
  std::size_t size = 0;
  void* data = nullptr;
  napi_value memory = nullptr;
  check(env_, napi_get_typedarray_info(env_, values_[at], &type, &size, &data, &memory, nullptr));
  if (type != napi_uint8_array) raise_type_error(env_, "an argument must be a Uint8Array");
  bool detached = false;  // it is empty then, which is not what was meant
  check(env_, napi_is_detached_arraybuffer(env_, memory, &detached));
  if (detached)
    raise_failure(env_, QUIETUS_EINVALID, "the bytes are gone: their ArrayBuffer was detached");
  return size == 0 ? Secret() : Secret(data, size);
}

bool Arguments::given(std::size_t at) const {
  napi_valuetype type = napi_undefined;
  check(env_, napi_typeof(env_, values_[at], &type));
  return type != napi_undefined && type != napi_null;
}

std::optional<std::string> Arguments::optional_text(std::size_t at) const {
  return given(at) ? std::optional(text(at)) : std::nullopt;
}

std::optional<quietus_record_version> Arguments::optional_version(std::size_t at) const {
  if (!given(at)) return std::nullopt;
  const Secret found = bytes(at);
  quietus_record_version version{};
  if (found.size() != sizeof version.bytes)
    raise_failure(env_, QUIETUS_EINVALID, "a version has 24 bytes");
  std::memcpy(version.bytes, found.data(), sizeof version.bytes);
  return version;
}

}  // namespace quietus::node
