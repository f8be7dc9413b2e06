// Must hold: whatever was done to a file of a vault, opening says what is wrong with the right
// code, destroys nothing, and what is intact stays readable.
#include <sched.h>
#include <sys/mount.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <iostream>
#include <random>
#include <set>

#include "faults/file_bytes.hpp"
#include "support/vault_place.hpp"
#include "support/worker.hpp"

using namespace quietus;
using namespace quietus::test;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> kLiving = {"acme", "acme/customer", "initech"};

Result<void> erase(Vault& vault, const std::string& path) {
  const std::string paths[] = {path};
  QUIETUS_TRY(vault.erase(paths, "test"));
  return {};
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

std::map<std::string, Bytes> root_files(const VaultPlace& place) {
  std::map<std::string, Bytes> files;
  if (!fs::exists(place.roots())) return files;
  for (const auto& file : files_below(place.roots()))
    if (file.filename() != "anchor") files[file.filename().string()] = bytes_of_file(file);
  return files;
}

// "whole" when all that lives is whole and what was erased is erased.
std::string look_at(std::shared_ptr<VaultCore> core) {
  Vault vault(std::move(core));
  for (const std::string& scope : kLiving)
    for (const std::string name : {"small", "large"})
      if (const auto seen = reading(vault, scope, name); seen != "whole") return seen;
  const auto erased = reading(vault, "globex", "small");
  return erased == "erased" ? "whole" : "erased scope: " + erased;
}

std::string opening(const VaultPlace& place, const OpenOptions& options = {}) {
  auto core = place.open(options);
  if (!core) return std::string(name_of(core.error().code()));
  return look_at(std::move(core).value());
}

std::string reading_only(const VaultPlace& place) {
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

void try_rows(const History& history, const std::vector<Row>& rows, const char* state = "new") {
  for (const Row& row : rows) {
    INFO(row.done);
    history.put_back(state);
    row.damage();
    const auto before = root_files(history);
    CHECK(reading_only(history) == row.read_only);
    CHECK(opening(history) == row.writable);
    CHECK((root_files(history) == before));  // nothing was destroyed, I-13
  }
}

void truncate(const fs::path& file, std::uintmax_t size) {
  fs::resize_file(file, size);
}

void flip(const fs::path& file, std::size_t offset, unsigned bit = 3) {
  Bytes content = bytes_of_file(file);
  REQUIRE(offset < content.size());
  content[offset] = static_cast<std::uint8_t>(content[offset] ^ (1U << bit));
  write_bytes(file, content);
}

void set_byte(const fs::path& file, std::size_t offset, std::uint8_t value) {
  Bytes content = bytes_of_file(file);
  content[offset] = value;
  write_bytes(file, content);
}

}  // namespace

TEST_CASE("I-13, I-14, C3: older copies of a file are refused or harmless") {
  const History history;
  const auto old_control = [&] { history.put_back_file("old", history.control()); };
  try_rows(history,
           {{"older control store beside the new slot", old_control, "rolled back", "rolled back"},
            {"older control store beside the old slot",
             [&] {
               old_control();
               history.take_slots();
               history.add_slots("old");
             },
             "rolled back", "rolled back"},
            {"older control store beside both slots",
             [&] {
               old_control();
               history.add_slots("old");
             },
             "rolled back", "rolled back"},
            {"older slot beside the new control store",
             [&] {
               history.take_slots();
               history.add_slots("old");
             },
             "unavailable", "unavailable"},
            {"older anchor", [&] { history.put_back_file("old", history.anchor()); }, "whole",
             "whole"}});
}

TEST_CASE("I-14: an older control store of the same root generation is refused") {
  const History history;
  history.put_back("grown");
  history.put_back_file("old", history.control());
  const auto before = root_files(history);
  CHECK(opening(history) == "rolled back");
  CHECK(reading_only(history) == "rolled back");
  CHECK((root_files(history) == before));
}

TEST_CASE("An old slot that was put back beside the new one is destroyed again") {
  const History history;
  history.put_back("new");
  history.add_slots("old");
  CHECK(opening(history) == "whole");
  CHECK(history.slots("live").size() == 2);
  CHECK(history.slots("live").front().filename() == history.slots("new").front().filename());
}

TEST_CASE("I-13: files that are missing") {
  const History history;
  const auto without = [&](const fs::path& file) { return [file] { fs::remove_all(file); }; };
  const auto one_mirror = [&] { fs::remove(history.slots("live").front()); };
  try_rows(history,
           {{"vault.json", without(history.vault() / "vault.json"), "not found", "not found"},
            {"control store", without(history.control()), "not found", "not found"},
            {"record store", without(history.records()), "not found", "not found"},
            {"anchor", without(history.anchor()), "corrupt", "whole"},
            {"one copy of the slot", one_mirror, "whole", "whole"},
            {"both copies", [&] { history.take_slots(); }, "unavailable", "unavailable"},
            {"holders", without(history.vault() / "runtime"), "whole", "whole"},
            {"lock of the control store", without(history.vault() / "control.mdb-lock"), "whole",
             "whole"}});
  history.put_back("new");
  fs::remove_all(history.roots());
  CHECK(opening(history) == "unavailable");
  CHECK(reading_only(history) == "unavailable");
}

TEST_CASE("I-13: files that were cut short") {
  const History history;
  struct Cut {
    fs::path file;
    std::string empty, half, less_one;
  };
  const std::vector<Cut> cuts = {
      {history.vault() / "vault.json", "corrupt", "corrupt", "whole"},  // it ends in a line feed
      {history.control(), "corrupt", "corrupt", "corrupt"},
      {history.records(), "corrupt", "corrupt", "corrupt"},
      {history.slots("live").front(), "whole", "whole", "whole"},
      {history.vault() / "runtime" / "holders", "whole", "whole", "whole"}};
  for (const Cut& cut : cuts) {
    history.put_back("new");
    const auto size = fs::file_size(cut.file);
    const std::string name = cut.file.filename().string();
    const bool holders = name == "holders";
    try_rows(history, {{name + " to nothing", [&] { truncate(cut.file, 0); }, cut.empty,
                        holders ? "corrupt" : cut.empty},
                       {name + " to half", [&] { truncate(cut.file, size / 2); }, cut.half,
                        holders ? "corrupt" : cut.half},
                       {name + " by one byte", [&] { truncate(cut.file, size - 1); }, cut.less_one,
                        holders ? "corrupt" : cut.less_one}});
  }
  try_rows(history,
           {{"the anchor to nothing", [&] { truncate(history.anchor(), 0); }, "corrupt", "whole"},
            {"both copies of the slot",
             [&] {
               for (const auto& slot : history.slots("live")) truncate(slot, 1000);
             },
             "corrupt", "corrupt"}});
}

TEST_CASE("I-13: bits flipped in slots and anchor") {
  const History history;
  history.put_back("new");
  const auto slots = history.slots("live");
  std::mt19937 random(20);
  for (int i = 0; i < 20; ++i) {
    const std::size_t at = i < 4 ? static_cast<std::size_t>(i) * 30 : random() % 32544;
    const std::string where = std::to_string(at);
    try_rows(history, {{"in one copy of the slot at " + where, [&] { flip(slots[0], at); }, "whole",
                        "whole"}});
    history.put_back("new");
    for (const auto& slot : slots) flip(slot, at);
    const auto before = root_files(history);
    const auto seen = opening(history);
    INFO("in both copies at " << at << ": " << seen);
    CHECK((seen == "corrupt" || (seen == "unsupported" && at < 12)));
    CHECK((root_files(history) == before));
    try_rows(history,
             {{"in both sectors of the anchor",
               [&] {
                 flip(history.anchor(), 12 + at % 100);
                 flip(history.anchor(), 512 + 12 + at % 100);
               },
               "corrupt", "whole"},
              {"in one sector", [&] { flip(history.anchor(), at % 8); }, "whole", "whole"},
              {"in the other", [&] { flip(history.anchor(), 512 + at % 8); }, "whole", "whole"}});
  }
}

TEST_CASE("Wrong secrets") {
  const History history;
  history.put_back("new");
  must(new_key_file(history.path("other key")));
  write_bytes(history.path("passphrase"), as_bytes("correct horse\n"));
  const auto before = root_files(history);
  const auto with = [&](const Unlock& unlock) {
    return VaultCore::open(history.vault(), unlock, {}, {});
  };
  CHECK_FAILS_WITH(with(Unlock::key_file(history.path("other key"))), ErrorCode::kWrongKey);
  CHECK_FAILS_WITH(with(Unlock::passphrase_file(history.path("passphrase"))), ErrorCode::kWrongKey);
  CHECK_FAILS_WITH(with(Unlock::key_file(history.path("none"))), ErrorCode::kWrongKey);
  CHECK((root_files(history) == before));
  CHECK(opening(history) == "whole");
}

TEST_CASE("Files of a newer version") {
  const History history;
  try_rows(history, {{"vault.json",
                      [&] {
                        Bytes text = bytes_of_file(history.vault() / "vault.json");
                        std::string json(as_text(text));
                        json.replace(json.find("\"format\": 1"), 11, "\"format\": 2");
                        write_bytes(history.vault() / "vault.json", as_bytes(json));
                      },
                      "unsupported", "unsupported"},
                     {"anchor", [&] { set_byte(history.anchor(), 9, 2); }, "unsupported", "whole"},
                     {"slots",
                      [&] {
                        for (const auto& slot : history.slots("live")) set_byte(slot, 9, 2);
                      },
                      "unsupported", "unsupported"}});
}

TEST_CASE("Another vault's files") {
  const History history;
  const History other;
  other.put_back("new");
  const auto theirs = [&](const fs::path& to) {
    return [&history, &other, to] {
      const auto from = to.parent_path() == history.vault() ? other.vault() : other.root();
      fs::copy_file(from / to.filename(), to, fs::copy_options::overwrite_existing);
    };
  };
  try_rows(history, {{"control store", theirs(history.control()), "corrupt", "corrupt"},
                     {"anchor", theirs(history.anchor()), "corrupt", "whole"},
                     {"slots in the place of ours",
                      [&] {
                        history.take_slots();
                        for (const auto& slot : other.slots("live"))
                          fs::copy_file(slot, history.root() / slot.filename());
                      },
                      "unavailable", "unavailable"},
                     {"slots under the names of ours",
                      [&] {
                        const auto ours = history.slots("live");
                        for (const auto& slot : ours)
                          fs::copy_file(other.slots("live")[slot.extension() == ".1"], slot,
                                        fs::copy_options::overwrite_existing);
                      },
                      "corrupt", "corrupt"}});
  // Nothing in a record store says whose it is: its records are not there for us, and the check
  // tells why.
  history.put_back("new");
  theirs(history.records())();
  CHECK(opening(history) == "absent");
  Vault vault(must(history.open()));
  CHECK(!must(vault.check()).damages.empty());
}

namespace {

// What a damaged vault comes to: it must end in an error or in the right data.
std::string outcome_of_damage(const History& history) {
  std::string said;
  Worker worker([&](const Telling& parent) {
    auto core = history.open();
    if (!core) {
      parent.tell(name_of(core.error().code()));
      return true;
    }
    Vault vault(*core);
    bool missing = false;
    for (const std::string& scope : kLiving)
      for (const std::string name : {"small", "large"}) {
        const auto seen = reading(vault, scope, name);
        if (seen == "wrong data") parent.tell("wrong data");
        missing = missing || seen == "absent" || seen == "not found";
      }
    if (reading(vault, "globex", "small") == "whole") parent.tell("erased data");
    const auto report = vault.check();
    const bool noticed = !report || !report->damages.empty();
    parent.tell(missing && !noticed ? "missing without notice" : noticed ? "noticed" : "no harm");
    return true;
  });
  said = worker.hear();
  worker.hear_all();
  const int status = worker.await_end();
  return WIFEXITED(status) ? said : "signal " + std::to_string(WTERMSIG(status));
}

}  // namespace

TEST_CASE("A bit flipped anywhere in the stores gives an error or the right data") {
  const History history;
  std::mt19937 random(18500);
  std::map<std::string, int> outcomes;
  for (const fs::path& file : {history.control(), history.records()}) {
    for (int i = 0; i < 100; ++i) {
      history.put_back("new");
      const auto size = fs::file_size(file);
      // The meta pages use their first bytes only.
      std::size_t at = random() % size;
      if (i < 20) at = random() % 152;
      if (i >= 20 && i < 40) at = 4096 + random() % 152;
      flip(file, at, random() % 8);
      const auto outcome = outcome_of_damage(history);
      INFO(file.filename() << " at " << at << ": " << outcome);
      const std::set<std::string> allowed = {"corrupt",           "unsupported", "noticed",
                                             "no harm",           "rolled back", "unavailable",
                                             "input/output error"};
      // LMDB believes the page it walks through: some sizes in it lead behind the end of the file.
      const bool crashed = outcome.starts_with("signal 7") || outcome.starts_with("signal 11");
      CHECK((crashed || allowed.count(outcome) == 1));
      ++outcomes[crashed ? "crashed" : outcome];
    }
  }
  CHECK(outcomes["crashed"] <= 4);
  CHECK(outcomes["noticed"] > 20);
  CHECK(outcomes["corrupt"] > 5);
}

TEST_CASE(
    "A bit flipped in the description or the table of holders gives an error or the right data") {
  const History history;
  history.put_back("new");
  const auto json = history.vault() / "vault.json";
  for (std::size_t at = 0; at < fs::file_size(json); ++at) {
    history.put_back("new");
    flip(json, at, static_cast<unsigned>(at % 7));
    const auto seen = opening(history);
    INFO("vault.json at " << at << ": " << seen);
    CHECK((seen == "corrupt" || seen == "unsupported" || seen == "unavailable" || seen == "whole"));
  }
  const auto holders = history.vault() / "runtime" / "holders";
  for (std::size_t at = 0; at < 128; ++at) {
    history.put_back("new");
    flip(holders, at, static_cast<unsigned>(at % 8));
    INFO("holders at " << at);
    CHECK(opening(history) == "whole");
  }
}

namespace {

// A process with a small file system of its own; what it said, line by line. Nothing when that is
// not allowed here.
template <class F>
std::vector<std::string> on_own_disk(const char* size, F&& body) {
  const TemporaryFolder folder(TemporaryFolder::in_memory());
  Worker worker([&](const Telling& parent) {
    const std::string options = std::string("mode=0700,size=") + size;
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", folder.path().c_str(), "tmpfs", 0, options.c_str()) != 0)
      return false;
    body(folder.path(), parent);
    return true;
  });
  auto said = worker.hear_all();
  if (worker.succeeds()) return said;
  std::cout << "skipped: no file system of its own can be mounted here\n";
  return {};
}

}  // namespace

TEST_CASE("A read-only disk: reads work, nothing else is tried") {
  const auto said = on_own_disk("64m", [](const fs::path& disk, const Telling& parent) {
    const History history(disk);
    history.put_back("new");
    if (mount(nullptr, disk.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) return;
    parent.tell(reading_only(history));
    parent.tell(opening(history));
    if (mount(nullptr, disk.c_str(), nullptr, MS_REMOUNT, nullptr) != 0) return;
    parent.tell(opening(history));
  });
  if (!said.empty())
    CHECK(said == std::vector<std::string>{"whole", "input/output error", "whole"});
}

TEST_CASE("I-19: a full disk: nothing is changed, reads work, and erasing does too") {
  const auto said = on_own_disk("24m", [](const fs::path& disk, const Telling& parent) {
    const VaultPlace place(disk);
    auto core = must(place.create());
    Vault vault(core);
    must(vault.create_scope("acme"));
    must(put_known(vault, "acme", "small"));
    must(vault.create_scope("globex"));
    must(put_known(vault, "globex", "large"));
    Result<void> put;
    int written = 0;
    while ((put = put_known(vault, "globex", "large" + std::to_string(written)))) ++written;
    parent.tell(name_of(put.error().code()));
    parent.tell(reading(vault, "globex", "large" + std::to_string(written)));
    for (int i = 0; i < 5; ++i) static_cast<void>(put_known(vault, "globex", "large-more"));
    std::set<std::string> seen;
    for (int i = 0; i < written; ++i)
      seen.insert(reading(vault, "globex", "large" + std::to_string(i)));
    parent.tell(seen.size() == 1 ? *seen.begin() : "differs");
    const auto erased = erase(vault, "globex");
    parent.tell(erased ? "done" : erased.error().context());
    parent.tell(reading(vault, "globex", "large"));
    parent.tell(reading(vault, "acme", "small"));
    parent.tell(must(vault.check()).damages.empty() ? "sound" : "damaged");
  });
  if (!said.empty())
    CHECK(said ==
          std::vector<std::string>{"full", "absent", "whole", "done", "erased", "whole", "sound"});
}
