// A vault at several moments of its life, so that its files can be damaged and mixed; and what
// opening it then comes to.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "faults/erase.hpp"
#include "faults/file_bytes.hpp"
#include "support/vault_place.hpp"

namespace quietus::test {

namespace fs = std::filesystem;

inline const std::vector<std::string>& living() {
  static const std::vector<std::string> all = {"acme", "acme/customer", "initech"};
  return all;
}

// A vault at three moments: "old", "grown" (another scope, the same root), "new" (a tenant erased).
class History : public VaultPlace {
 public:
  explicit History(const fs::path& below = TemporaryFolder::in_memory()) : VaultPlace(below) {
    {
      Vault vault(must(create()));
      for (const std::string path : {"acme", "acme/customer", "globex"}) write_to(vault, path);
    }
    keep("old");
    {
      Vault vault(must(open()));
      write_to(vault, "initech");
    }
    keep("grown");
    {
      Vault vault(must(open()));
      must(erase(vault, "globex"));
    }
    keep("new");
  }

  // The files of the root slots that a kept copy has.
  std::vector<fs::path> slots(const std::string& copy) const {
    std::vector<fs::path> found;
    for (const auto& file : files_below(path(copy)))
      if (file.filename().string().starts_with("slot-")) found.push_back(file);
    std::sort(found.begin(), found.end());
    return found;
  }
  void take_slots() const {
    for (const auto& slot : slots("live")) fs::remove(slot);
  }
  void add_slots(const std::string& copy) const {
    for (const auto& slot : slots(copy)) fs::copy_file(slot, root() / slot.filename());
  }
  fs::path control() const { return vault() / "control.mdb"; }
  fs::path records() const { return vault() / "records.mdb"; }
  fs::path anchor() const { return root() / "anchor"; }

 private:
  static void write_to(Vault& vault, const std::string& path) {
    must(vault.create_scope(path));
    must(put_known(vault, path, "small"));
    must(put_known(vault, path, "large"));
  }
};

inline std::map<std::string, Bytes> root_files(const VaultPlace& place) {
  std::map<std::string, Bytes> files;
  if (!fs::exists(place.roots())) return files;
  for (const auto& file : files_below(place.roots()))
    if (file.filename() != "anchor") files[file.filename().string()] = bytes_of_file(file);
  return files;
}

// "whole" when all that lives is whole and what was erased is erased.
inline std::string look_at(std::shared_ptr<VaultCore> core) {
  Vault vault(std::move(core));
  for (const std::string& scope : living())
    for (const std::string name : {"small", "large"})
      if (auto seen = reading(vault, scope, name); seen != "whole") return seen;
  const auto erased = reading(vault, "globex", "small");
  return erased == "erased" ? "whole" : "erased scope: " + erased;
}

inline std::string opening(const VaultPlace& place, const OpenOptions& options = {}) {
  auto core = place.open(options);
  if (!core) return std::string(name_of(core.error().code()));
  return look_at(std::move(core).value());
}

inline std::string reading_only(const VaultPlace& place) {
  OpenOptions options;
  options.read_only = true;
  return opening(place, options);
}

struct Row {
  std::string done;
  std::function<void()> damage;
  std::string writable;   // what opening comes to
  std::string read_only;  // and for reading only
};

inline void try_rows(const History& history, const std::vector<Row>& rows,
                     const char* state = "new") {
  for (const Row& row : rows) {
    INFO(row.done);
    history.put_back(state);
    row.damage();
    const auto before = root_files(history);
    CHECK(reading_only(history) == row.read_only);
    // A last page that nothing uses may be missing.
    const std::string opened = opening(history);
    const bool either = row.writable == "corrupt or whole" && opened == "whole";
    CHECK(opened == (either ? opened : row.writable.substr(0, row.writable.find(" or "))));
    CHECK((root_files(history) == before));  // nothing was destroyed, I-13
  }
}

inline void truncate(const fs::path& file, std::uintmax_t size) {
  fs::resize_file(file, size);
}

inline void flip(const fs::path& file, std::size_t offset, unsigned bit = 3) {
  Bytes content = bytes_of_file(file);
  REQUIRE(offset < content.size());
  content[offset] = static_cast<std::uint8_t>(content[offset] ^ (1U << bit));
  write_bytes(file, content);
}

inline void set_byte(const fs::path& file, std::size_t offset, std::uint8_t value) {
  Bytes content = bytes_of_file(file);
  content[offset] = value;
  write_bytes(file, content);
}

}  // namespace quietus::test
