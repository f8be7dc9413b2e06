// Must hold 1, played with nothing but copies of files and the vault itself.
#include <algorithm>
#include <catch2/catch.hpp>

#include "faults/file_bytes.hpp"
#include "faults/vault_life.hpp"
#include "support/result_matchers.hpp"

namespace quietus::test {
namespace {

// What the vault's files are when the life is over, to be put back before each attempt.
class Stage {
 public:
  explicit Stage(const Life& life) : life_(life) {
    copy_folder(life.vault_folder(), life.aside("now"));
    copy_folder(life.root_folder(), life.aside("now-roots"));
  }
  void reset() const {
    copy_folder(life_.aside("now"), life_.vault_folder());
    copy_folder(life_.aside("now-roots"), life_.root_folder());
  }
  void bring_back(const std::string& copy, const std::string& file) const {
    const auto to = life_.vault_folder() / file;
    std::filesystem::remove(to);
    std::filesystem::copy_file(life_.aside(copy) / file, to);
  }
  // Opening fails so, and neither slots nor anchor change.
  void check_refused(const OpenOptions& options, ErrorCode expected) const {
    const FileContents before = roots();
    CHECK_FAILS_WITH(Vault::open(life_.vault_folder(), life_.unlock(), options), expected);
    CHECK((before == roots()));
  }

 private:
  FileContents roots() const {
    FileContents contents;
    for (const auto& file : files_below(life_.root_folder())) contents[file] = bytes_of_file(file);
    return contents;
  }
  const Life& life_;
};

void check_old_copies_are_refused(const Life& life, const Stage& stage, const std::string& copy) {
  OpenOptions reading;
  reading.read_only = true;
  stage.reset();
  copy_folder(life.aside(copy), life.vault_folder());
  stage.check_refused({}, ErrorCode::kRolledBack);
  stage.check_refused(reading, ErrorCode::kRolledBack);
  std::filesystem::copy_file(life.aside("before-all-roots") / "anchor",
                             life.root_folder() / "anchor",
                             std::filesystem::copy_options::overwrite_existing);
  stage.check_refused({}, ErrorCode::kRolledBack);
  stage.check_refused(reading, ErrorCode::kRolledBack);
  std::filesystem::remove(life.root_folder() / "anchor");
  stage.check_refused({}, ErrorCode::kRolledBack);
  stage.check_refused(reading, ErrorCode::kRolledBack);
  stage.reset();
  stage.bring_back(copy, "control.mdb");
  stage.check_refused({}, ErrorCode::kRolledBack);
}

const Fact& newest(const Life& life, std::string_view scope, std::string_view name) {
  const auto found =
      std::find_if(life.facts().rbegin(), life.facts().rend(),
                   [&](const Fact& fact) { return fact.scope == scope && fact.name == name; });
  REQUIRE(found != life.facts().rend());
  return *found;
}

void check_the_vault_now(const Life& life) {
  Vault vault = must(Vault::open(life.vault_folder(), life.unlock()));
  for (const auto& [path, scope] : life.scopes()) {
    INFO(path);
    if (is_erased(scope)) CHECK_FAILS_WITH(vault.scope(path), ErrorCode::kErased);
  }
  for (const Fact& fact : life.facts()) {
    if (is_erased(life.scopes().at(fact.scope))) continue;
    const Fact& expected = newest(life, fact.scope, fact.name);
    const auto content = must(must(vault.scope(fact.scope)).get(fact.name));
    INFO(fact.scope << " " << fact.name);
    if (content)
      CHECK((*content == expected.content));
    else
      CHECK((fact.name == "draft" || fact.name == "profile"));
  }
  CHECK(must(vault.check()).damages.empty());
}

TEST_CASE("old stores beside new slots are refused, and with the old slots open") {
  WholeLife whole;
  live(whole);
  const Life& life = whole.life;
  const Stage stage(life);
  check_the_vault_now(life);
  check_old_copies_are_refused(life, stage, "before-all");
  check_old_copies_are_refused(life, stage, "between");

  // Old records beside the newest keys: what was erased is erased.
  stage.reset();
  stage.bring_back("before-all", "records.mdb");
  {
    Vault vault = must(Vault::open(life.vault_folder(), life.unlock()));
    CHECK_FAILS_WITH(vault.scope("gamma"), ErrorCode::kErased);
    CHECK(must(must(vault.scope("delta")).get("contract")));
  }

  // The test can fail: everything from before, slots included, opens.
  copy_folder(life.aside("before-all"), life.vault_folder());
  copy_folder(life.aside("before-all-roots"), life.root_folder());
  Vault vault = must(Vault::open(life.vault_folder(), Unlock::key_file(life.key_file(1))));
  const std::string subject = "alpha/customer-data/user-1";
  CHECK((must(must(vault.scope(subject)).get("scan")) == newest(life, subject, "scan").content));
}

}  // namespace
}  // namespace quietus::test
