// Must hold: whatever was done to a file of a vault, opening says what is wrong with the right
// code, destroys nothing, and what is intact stays readable.
#include "faults/history.hpp"

using namespace quietus;
using namespace quietus::test;

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

TEST_CASE("a copy of the vault is not opened while the vault is, nor the other way round") {
  const History history;
  history.put_back("new");
  const fs::path copy = history.path("copy");
  fs::copy(history.vault(), copy, fs::copy_options::recursive);
  const auto open_copy = [&](bool read_only) {
    OpenOptions options;
    options.read_only = read_only;
    return VaultCore::open(copy, history.unlock(), options, {});
  };
  {
    Vault vault(must(history.open()));
    CHECK_FAILS_WITH(open_copy(false), ErrorCode::kBusy);
    CHECK_FAILS_WITH(open_copy(true), ErrorCode::kBusy);
    must(erase(vault, "initech"));
  }
  CHECK_FAILS_WITH(open_copy(false), ErrorCode::kRolledBack);
  history.put_back("new");
  fs::remove_all(copy);
  fs::copy(history.vault(), copy, fs::copy_options::recursive);
  const auto other = must(open_copy(true));
  CHECK(opening(history) == "busy");
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

TEST_CASE("Without a readable record store scopes are erased all the same") {
  const History history;
  const bool missing = GENERATE(false, true);
  history.put_back("new");
  if (missing)
    fs::remove(history.records());
  else
    truncate(history.records(), 5000);
  Vault vault(must(history.open()));
  CHECK(reading(vault, "acme", "small") == (missing ? "not found" : "corrupt"));
  CHECK_FALSE(put_known(vault, "acme", "small").ok());
  const std::string paths[] = {"acme"};
  CHECK_FALSE(must(vault.plan_erase(paths)).counted);
  const auto report = must(vault.erase(paths, "test"));
  CHECK(report.certificate.size() > 1000);
  CHECK(reading(vault, "acme", "small") == "erased");
  CHECK_FALSE(fs::exists(history.records()) == missing);
}

TEST_CASE("I-13: files that were cut short") {
  const History history;
  struct Cut {
    fs::path file;
    std::string empty, half, less_one;
  };
  const std::vector<Cut> cuts = {
      {history.vault() / "vault.json", "corrupt", "corrupt", "whole"},  // it ends in a line feed
      {history.control(), "corrupt", "corrupt", "corrupt or whole"},
      {history.records(), "corrupt", "corrupt", "corrupt or whole"},
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
                        holders                              ? "corrupt"
                        : cut.less_one == "corrupt or whole" ? "corrupt"
                                                             : cut.less_one}});
  }
  try_rows(history,
           {{"the anchor to nothing", [&] { truncate(history.anchor(), 0); }, "corrupt", "whole"},
            {"both copies of the slot",
             [&] {
               for (const auto& slot : history.slots("live")) truncate(slot, 1000);
             },
             "corrupt", "corrupt"}});
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
                     {"record store", theirs(history.records()), "corrupt", "corrupt"},
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
}
