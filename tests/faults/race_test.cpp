// Must hold: values stay where they were written, and whoever reads or writes while somebody else
// erases gets the right data or is told that it is erased.
#include <sys/mman.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <new>
#include <thread>

#include "faults/killing.hpp"
#include "support/record_rows.hpp"
#include "support/vault_place.hpp"
#include "support/worker.hpp"

using namespace quietus;
using namespace quietus::test;

namespace {

const std::vector<std::string>& tenants() {
  static const std::vector<std::string> all = {"t0", "t1", "t2", "t3", "t4", "t5"};
  return all;
}
constexpr int kStaying = 2;  // tenants at the end that nobody erases

void fill(Vault& vault) {
  for (const std::string& tenant : tenants()) {
    must(vault.create_scope(tenant));
    for (const std::string name : {"a", "b", "large"}) must(put_known(vault, tenant, name));
  }
}

// Which tenants are erased for certain: shared between processes and threads.
struct Board {
  std::atomic<int> erased{0};  // tenants 0 to erased - 1: erase() has returned
  std::atomic<int> done{0};    // by all who work
  std::atomic<bool> stop{false};
};

class SharedBoard {
 public:
  SharedBoard()
      : board_(new (mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                         -1, 0)) Board) {}
  SharedBoard(const SharedBoard&) = delete;
  SharedBoard& operator=(const SharedBoard&) = delete;
  ~SharedBoard() { munmap(board_, sizeof(Board)); }
  Board& operator*() const { return *board_; }

 private:
  Board* board_;
};

// What a thread saw that must not be; empty when all was well.
struct Findings {
  std::string wrong;
  int done = 0;
};

// Catch2's checks are not for several threads, so this one returns what is wrong.
void check_answer(int tenant, int erased_before, const std::string& answer, Findings& found) {
  const bool must_be_erased = tenant < erased_before;
  const bool staying = tenant >= static_cast<int>(tenants().size()) - kStaying;
  const bool fine = answer == "whole" ? !must_be_erased : answer == "erased" && !staying;
  if (!fine && found.wrong.empty())
    found.wrong = tenants()[static_cast<std::size_t>(tenant)] + ": " + answer + " after " +
                  std::to_string(erased_before) + " erasures";
  ++found.done;
}

std::string streaming(Vault& vault, const std::string& tenant) {
  auto scope = vault.scope(tenant);
  if (!scope) return std::string(name_of(scope.error().code()));
  const Bytes expected = content_of(tenant, "large");
  std::size_t at = 0;
  bool right = true;
  const auto read = scope->get_stream("large", [&](ByteView piece) -> Result<void> {
    right =
        right && at + piece.size() <= expected.size() &&
        std::equal(piece.begin(), piece.end(), expected.begin() + static_cast<std::ptrdiff_t>(at));
    at += piece.size();
    return {};
  });
  if (!right) return "wrong data";
  if (!read) {
    const auto code = read.error().code();
    // The record may be replaced by another thread.
    return code == ErrorCode::kChanged ? "changed" : std::string(name_of(code));
  }
  return *read && at == expected.size() ? "whole" : "short";
}

std::string writing(Vault& vault, const std::string& tenant, const std::string& name) {
  const auto put = put_known(vault, tenant, name);
  return put ? "whole" : std::string(name_of(put.error().code()));
}

// Reads, streams and writes all tenants in turn until it is told to stop.
Findings work(Vault& vault, Board& board, int number) {
  Findings found;
  for (int round = number; !board.stop; ++round) {
    const int tenant = round % static_cast<int>(tenants().size());
    const std::string& name = tenants()[static_cast<std::size_t>(tenant)];
    const int erased = board.erased;
    std::string answer;
    switch ((round / static_cast<int>(tenants().size())) % 4) {
      case 0: answer = reading(vault, name, "a"); break;
      case 1: answer = streaming(vault, name); break;
      case 2: answer = writing(vault, name, "w" + std::to_string(number)); break;
      default: answer = reading(vault, name, "large"); break;
    }
    check_answer(tenant, erased, answer, found);
    ++board.done;
  }
  return found;
}

std::vector<Findings> work_in_threads(Vault& vault, Board& board, int count) {
  std::vector<Findings> found(static_cast<std::size_t>(count));
  std::vector<std::thread> threads;
  threads.reserve(found.size());
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] { found[static_cast<std::size_t>(i)] = work(vault, board, i); });
  for (std::thread& thread : threads) thread.join();
  return found;
}

// A process with so many threads that work until the board says stop.
bool work_as_process(const VaultPlace& place, Board& board, KeyCaching caching, int threads,
                     const Telling& parent) {
  OpenOptions options;
  options.key_caching = caching;
  auto core = place.open(options);
  if (!core) return false;
  Vault vault(*core);
  parent.tell("open");
  bool fine = true;
  for (const Findings& found : work_in_threads(vault, board, threads)) {
    if (found.done == 0) parent.tell("nothing was done");
    if (!found.wrong.empty()) parent.tell(found.wrong);
    fine = fine && found.wrong.empty() && found.done > 0;
  }
  return fine;
}

void check_afterwards(Vault& vault) {
  const int going = static_cast<int>(tenants().size()) - kStaying;
  for (int i = 0; i < static_cast<int>(tenants().size()); ++i)
    for (const std::string name : {"a", "b", "large"})
      CHECK(reading(vault, tenants()[static_cast<std::size_t>(i)], name) ==
            (i < going ? "erased" : "whole"));
  for (const auto& damage : must(vault.check()).damages) FAIL_CHECK(damage.where + damage.what);
  CHECK(must(vault.certificates()).size() == static_cast<std::size_t>(going));
}

// Some time, and as much of it as it takes the others to do something, however busy the machine is.
void let_others_work(const Board& board) {
  const int before = board.done;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  do std::this_thread::sleep_for(std::chrono::milliseconds(120));
  while (board.done < before + 40 && std::chrono::steady_clock::now() < deadline);
}

// Erases one tenant after another.
void erase_all(Vault& vault, Board& board) {
  const int going = static_cast<int>(tenants().size()) - kStaying;
  for (int i = 0; i < going; ++i) {
    let_others_work(board);
    const auto erased = erase(vault, tenants()[static_cast<std::size_t>(i)]);
    INFO(describe(erased));
    CHECK(erased.ok());
    if (!erased) break;
    board.erased = i + 1;
  }
  let_others_work(board);
  board.stop = true;
}

}  // namespace

TEST_CASE("Two processes of four threads read and write while a third erases") {
  const VaultPlace place;
  {
    Vault vault(must(place.create()));
    fill(vault);
  }
  const bool uncached = GENERATE(false, true);
  const SharedBoard board;
  const auto second = uncached ? KeyCaching::kNone : KeyCaching::kGuarded;
  Worker one([&](const Telling& parent) {
    return work_as_process(place, *board, KeyCaching::kGuarded, 4, parent);
  });
  Worker two(
      [&](const Telling& parent) { return work_as_process(place, *board, second, 4, parent); });
  REQUIRE(one.hear() == "open");
  REQUIRE(two.hear() == "open");
  {
    Vault vault(must(place.open()));
    erase_all(vault, *board);
    for (Worker* worker : {&one, &two}) {
      for (const std::string& line : worker->hear_all())
        if (line != "open") FAIL_CHECK(line);
      CHECK(worker->succeeds());
    }
    check_afterwards(vault);
  }
}

TEST_CASE("Threads of one process read and write while another erases", "[concurrent]") {
  const VaultPlace place;
  const auto caching = GENERATE(KeyCaching::kGuarded, KeyCaching::kNone);
  {
    Vault vault(must(place.create()));
    fill(vault);
  }
  OpenOptions options;
  options.key_caching = caching;
  Vault vault(must(place.open(options)));
  Board board;
  std::thread eraser([&] { erase_all(vault, board); });
  const auto found = work_in_threads(vault, board, 8);
  eraser.join();
  for (const Findings& one : found) {
    CHECK(one.wrong.empty());
    if (!one.wrong.empty()) WARN(one.wrong);
    CHECK(one.done > 0);
  }
  check_afterwards(vault);
}

TEST_CASE("A stream from a scope that is erased meanwhile ends as erased, with nothing more") {
  const VaultPlace place;
  Vault vault(must(place.create()));
  must(vault.create_scope("acme"));
  Bytes content(std::size_t{3} << 20, 7);
  Scope scope = must(vault.scope("acme"));
  must(scope.put("large", content));
  std::size_t after = 0;
  bool erased = false;
  const auto read = scope.get_stream("large", [&](ByteView piece) -> Result<void> {
    if (erased) {
      after += piece.size();
      return {};
    }
    // Another thread, because a reader does not erase from inside its own operation.
    std::thread eraser([&] { erased = erase(vault, "acme").ok(); });
    eraser.join();
    return {};
  });
  CHECK(erased);
  CHECK(after == 0);
  REQUIRE(!read.ok());
  CHECK(read.error().code() == ErrorCode::kErased);
}

TEST_CASE("A raw row opens only at its own name, scope and tenant, and in its own vault") {
  const VaultPlace place;
  const VaultPlace other_place;
  Vault vault(nullptr);
  auto core = must(place.create());
  vault = Vault(core);
  auto other_core = must(other_place.create());
  Vault other(other_core);
  for (const std::string path : {"acme", "acme/one", "globex"}) {
    must(vault.create_scope(path));
    for (const std::string name : {"victim", "kept"}) must(put_known(vault, path, name));
  }
  must(other.create_scope("acme"));
  must(put_known(other, "acme", "victim"));

  const auto id = [&](Vault& of, const std::string& path) { return must(of.scope(path)).id(); };
  // What of `from` lies in the place of the victim of `to` gives.
  const auto moved = [&](const RawRow& from, RecordStore& store, Vault& to,
                         const std::string& path) {
    for (const RawRow& row : rows_of(store, RecordTable::kRecords, id(to, path)))
      put_row(store, RecordTable::kRecords, id(to, path), {row.first, from.second});
    return reading(to, path, "victim");
  };
  RecordStore& store = *core->record_store;
  const auto rows = rows_of(store, RecordTable::kRecords, id(vault, "acme"));
  REQUIRE(rows.size() == 2);
  // Both rows get the same content: it is right at one of the two names.
  {
    put_row(store, RecordTable::kRecords, id(vault, "acme"), {rows[0].first, rows[1].second});
    const auto victim = reading(vault, "acme", "victim");
    const auto kept = reading(vault, "acme", "kept");
    CHECK(((victim == "corrupt" && kept == "whole") || (victim == "whole" && kept == "corrupt")));
    put_row(store, RecordTable::kRecords, id(vault, "acme"), rows[0]);
    CHECK(reading(vault, "acme", "victim") == "whole");
  }
  for (const std::string path : {"acme/one", "globex"}) {
    INFO(path);
    CHECK(moved(rows[0], store, vault, path) == "corrupt");
  }
  CHECK(moved(rows[0], *other_core->record_store, other, "acme") == "corrupt");
  // The whole row, its key included, says nothing under another scope.
  put_row(store, RecordTable::kRecords, id(vault, "globex"), rows[0]);
  CHECK(reading(vault, "globex", "victim") == "corrupt");
  CHECK(!must(vault.check()).damages.empty());
}
