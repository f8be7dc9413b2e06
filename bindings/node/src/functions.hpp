// What index.js calls. Every function that may wait for a disk, a lock or much computation gives a
// promise; the others answer at once.
#pragma once

#include <span>

#include "work.hpp"

namespace quietus::node {

struct Function {
  const char* name;
  napi_value (*call)(napi_env env, const Arguments& in);
};

std::span<const Function> vault_functions();
std::span<const Function> record_functions();
std::span<const Function> stream_functions();
std::span<const Function> erasure_functions();
std::span<const Function> evidence_functions();

// What quietus_put() is told beside the content: arguments `at` and the two that follow.
struct PutHow {
  std::optional<std::string> content_type;
  std::optional<quietus_record_version> expected;
  bool must_be_new = false;

  PutHow(const Arguments& in, std::size_t at)
      : content_type(in.optional_text(at)),
        expected(in.optional_version(at + 1)),
        must_be_new(in.flag(at + 2)) {}
  // It points into this.
  quietus_put_options options() const {
    return {sizeof(quietus_put_options), pointer_to(content_type), expected ? &*expected : nullptr,
            must_be_new ? 1 : 0};
  }
};

// The library's way to take a list of texts.
class Pointers {
 public:
  explicit Pointers(const std::vector<std::string>& texts) {
    for (const std::string& each : texts) pointers_.push_back(each.c_str());
  }
  const char* const* data() const { return pointers_.data(); }
  std::size_t size() const { return pointers_.size(); }

 private:
  std::vector<const char*> pointers_;
};

// What `write(buffer, capacity, &size)` gives, in a buffer as large as it wants.
template <class Write>
int write_all(std::size_t capacity, Secret& into, const Write& write) {
  for (;;) {
    Secret buffer(capacity);
    std::size_t size = 0;
    const int code = write(buffer.data(), capacity, &size);
    if (code == QUIETUS_TOO_SMALL) {
      capacity = size + 1;  // of a text the NUL is not counted
      continue;
    }
    buffer.shorten(code == QUIETUS_OK ? size : 0);
    into = std::move(buffer);
    return code;
  }
}

}  // namespace quietus::node
