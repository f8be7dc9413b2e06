// Must hold: a flipped bit in any file of a vault gives an error or the right data.
#include <random>
#include <set>

#include "faults/history.hpp"
#include "support/sanitized.hpp"
#include "support/worker.hpp"

using namespace quietus;
using namespace quietus::test;

TEST_CASE("I-13: bits flipped in slots and anchor") {
  const History history;
  history.put_back("new");
  const auto slots = history.slots("live");
  std::mt19937 random(20);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
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

namespace {

// What an open vault comes to that may be damaged.
std::string outcome_of_reading(Vault& vault) {
  bool missing = false;
  for (const std::string& scope : living())
    for (const std::string name : {"small", "large"}) {
      auto seen = reading(vault, scope, name);
      if (seen == "wrong data") return seen;
      missing = missing || seen == "absent" || seen == "not found";
    }
  if (reading(vault, "globex", "small") == "whole") return "erased data";
  const auto report = vault.check();
  const bool noticed = !report || !report->damages.empty();
  if (noticed) return "noticed";
  return missing ? "missing without notice" : "no harm";
}

// In a process of its own, because LMDB may end it.
std::string outcome_of_damage(const History& history) {
  Worker worker([&](const Telling& parent) {
    auto core = history.open();
    if (!core) {
      parent.tell(name_of(core.error().code()));
      return true;
    }
    Vault vault(*core);
    parent.tell(outcome_of_reading(vault));
    return true;
  });
  const std::string said = worker.hear();
  worker.hear_all();
  const int status = worker.await_end();
  return WIFEXITED(status) ? said : "signal " + std::to_string(WTERMSIG(status));
}

}  // namespace

TEST_CASE("A bit flipped anywhere in the stores gives an error or the right data") {
  const History history;
  std::mt19937 random(18500);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
  std::map<std::string, int> outcomes;
  for (const fs::path& file : {history.control(), history.records()}) {
    for (int i = 0; i < 100 / kPointStep; ++i) {
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
  CHECK(outcomes["noticed"] * kPointStep >= 20);
  CHECK(outcomes["corrupt"] > 0);
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
