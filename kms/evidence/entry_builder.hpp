// Makes the text of a log entry; for the files that have entry_text().
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/text_encoding.hpp"
#include "evidence/log_entry.hpp"
#include "evidence/strict_json.hpp"

namespace quietus {

// The members of an entry, in the order they are added.
class EntryBuilder {
 public:
  EntryBuilder(const EntryHead& head, std::string_view kind) {
    bytes("entry", head.id);
    json_["kind"] = kind;
    json_["time"] = format_utc(head.time);
  }

  EntryBuilder& bytes(const char* name, ByteView value) {
    json_[name] = to_hex(value);
    return *this;
  }
  EntryBuilder& id(const char* name, std::uint64_t value) {
    json_[name] = hex_id(value);
    return *this;
  }
  EntryBuilder& number(const char* name, std::uint64_t value) {
    json_[name] = value;
    return *this;
  }
  EntryBuilder& time(const char* name, UnixMillis value) {
    json_[name] = format_utc(value);
    return *this;
  }
  EntryBuilder& code(const char* name, const Code& value) {
    json_[name] = value.text();
    return *this;
  }
  // `write` makes the text of one item.
  template <class Items, class Write>
  EntryBuilder& list(const char* name, const Items& items, Write write) {
    Json list = Json::array();
    for (const auto& item : items) list.push_back(write(item));
    json_[name] = std::move(list);
    return *this;
  }

  std::string text() const { return canonical_text(json_); }

 private:
  Json json_ = Json::object();
};

}  // namespace quietus
