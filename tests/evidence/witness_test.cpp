#include "evidence/witness.hpp"

#include <sys/stat.h>

#include <thread>

#include "evidence/cosignature.hpp"
#include "evidence/sample_log.hpp"
#include "support/fault_file_system.hpp"
#include "support/mentions.hpp"
#include "support/temporary_folder.hpp"

namespace quietus::test {
namespace {

class StoppedClock final : public Clock {
 public:
  UnixMillis now() const override { return 1772368205999; }
};

struct Witness {
  TemporaryFolder folder{TemporaryFolder::in_memory()};
  FaultFileSystem files;
  StoppedClock clock;
  WitnessPlace place{files, clock, folder / "witness"};
  NoteKey key =
      must(parse_vkey(must(create_witness(place, "witness.example")), NoteKeyType::kCosignature));

  Result<std::string> sign(const std::string& request, const SampleLog& log) {
    return cosign(place, request, must(Trust::parse("log " + log.vkey() + "\nquorum none\n")));
  }
  // Whether the note carries this witness's cosignature.
  bool signed_by_it(const std::string& note) {
    return must(cosigned_at(must(parse_note(note)), key)) == 1772368205;
  }
};

std::string why(const Result<std::string>& answer, ErrorCode code) {
  INFO(describe(answer));
  REQUIRE_FALSE(answer.ok());
  CHECK(answer.error().code() == code);
  return answer.error().context();
}

TEST_CASE("a witness follows a log from proof to proof", "[witness]") {
  Witness witness;
  SampleLog log(40);
  const std::string first = must(witness.sign(log.note(7), log));
  CHECK(first.starts_with(log.note(7)));
  CHECK(witness.signed_by_it(first));
  CHECK(witness.signed_by_it(must(witness.sign(log.request(7, 8), log))));
  CHECK(witness.signed_by_it(must(witness.sign(log.request(8, 23), log))));
  // What it cosigned last it cosigns again, with and without the empty proof.
  CHECK(witness.signed_by_it(must(witness.sign(log.note(23), log))));
  CHECK(witness.signed_by_it(must(witness.sign(log.request(23, 23), log))));
  CHECK(witness.signed_by_it(must(witness.sign(log.request(23, 40), log))));
}

TEST_CASE("a witness begins with an empty log or at any size", "[witness]") {
  Witness witness;
  SampleLog log(5);
  CHECK(witness.signed_by_it(must(witness.sign(log.note(0), log))));
  CHECK(witness.signed_by_it(must(witness.sign(log.request(0, 5), log))));
}

TEST_CASE("I3: without a proof from what it saw a witness does not sign", "[witness]") {
  Witness witness;
  SampleLog log(40);
  must(witness.sign(log.note(7), log));
  CHECK(mentions(why(witness.sign(log.note(23), log), ErrorCode::kRefused),
                 "no consistency proof: this witness cosigned size 7 before"));
  CHECK(mentions(why(witness.sign(log.request(8, 23), log), ErrorCode::kRefused),
                 "last cosigned size 7"));
  CHECK(mentions(why(witness.sign(log.request(0, 23), log), ErrorCode::kRefused),
                 "last cosigned size 7"));
  CHECK(mentions(why(witness.sign(log.note(6), log), ErrorCode::kRolledBack),
                 "rolled back: this witness cosigned size 7 of the log, this is size 6"));
  // None of it was remembered.
  CHECK(must(witness.sign(log.request(7, 23), log)).starts_with(log.note(23)));
}

TEST_CASE("I3: a witness does not sign a fork", "[witness]") {
  Witness witness;
  SampleLog log(40);
  SampleLog forked(40, "another story");
  must(witness.sign(log.note(7), log));
  CHECK(mentions(why(witness.sign(forked.note(7), log), ErrorCode::kUnverified), "fork: "));
  CHECK(mentions(why(witness.sign(forked.request(7, 23), log), ErrorCode::kUnverified), "fork: "));
  // The right proof under the wrong checkpoint, and a proof that is too long.
  AddCheckpoint request = must(parse_add_checkpoint(log.request(7, 23)));
  request.checkpoint = forked.note(23);
  CHECK(mentions(why(witness.sign(format_add_checkpoint(request), log), ErrorCode::kUnverified),
                 "fork"));
  request.checkpoint = log.note(23);
  request.proof.push_back(Hash{});
  CHECK(mentions(why(witness.sign(format_add_checkpoint(request), log), ErrorCode::kUnverified),
                 "fork"));
  must(witness.sign(log.request(7, 23), log));
}

TEST_CASE("a witness signs for logs that it knows the key of", "[witness]") {
  Witness witness;
  SampleLog log(7);
  SampleLog stranger(7, "entry", "stranger.example");
  CHECK(
      mentions(why(witness.sign(stranger.note(7), log), ErrorCode::kUnverified), "does not name"));
  const std::string forged = must(sign_checkpoint(log.checkpoint(7), signing_key("somebody else")));
  CHECK(mentions(why(witness.sign(forged, log), ErrorCode::kUnverified),
                 "not signed by a known key"));
  CHECK(must(parse_witness_state(
                 as_text(must(read_file(witness.files, witness.folder / "witness.state", 4096)))))
            .empty());
  // Each log mentions its own place.
  must(witness.sign(log.note(7), log));
  must(witness.sign(stranger.note(3), stranger));
  must(witness.sign(log.note(7), log));
}

TEST_CASE("malformed requests are refused", "[witness]") {
  Witness witness;
  SampleLog log(7);
  const std::string good = log.request(0, 7);
  for (const std::string& request :
       {std::string(), std::string("old"), std::string("old 0\n"), "old 00" + good.substr(5),
        "old -1" + good.substr(5), "old 0\nAAAA\n" + good.substr(6), "old 0\n" + good.substr(7),
        good.substr(0, good.size() - 1), std::string("nonsense")}) {
    INFO(request);
    CHECK_FAILS_WITH(witness.sign(request, log), ErrorCode::kUnverified);
  }
  CHECK_FAILS_WITH(witness.sign(std::string((1 << 20) + 1, 'x'), log), ErrorCode::kInvalidArgument);
  // A proof where none is possible.
  AddCheckpoint request = must(parse_add_checkpoint(good));
  request.proof.push_back(Hash{});
  CHECK_FAILS_WITH(witness.sign(format_add_checkpoint(request), log), ErrorCode::kUnverified);
}

TEST_CASE("key and state are files of their own and nobody else's", "[witness]") {
  const Witness witness;
  for (const char* name : {"witness", "witness.state"}) {
    struct stat seen {};
    REQUIRE(stat((witness.folder / name).c_str(), &seen) == 0);
    CHECK((seen.st_mode & 07777) == 0600);
  }
  CHECK_FAILS_WITH(create_witness(witness.place, "again"), ErrorCode::kAlreadyExists);
  for (const char* name : {"two words", "plus+sign", "line\nend"})
    CHECK_FAILS_WITH(
        create_witness({posix_file_system(), witness.clock, witness.folder / "w2"}, name),
        ErrorCode::kInvalidArgument);
  CHECK(must(create_witness({posix_file_system(), witness.clock, witness.folder / "w3"}, ""))
            .starts_with("quietus-witness/"));
}

TEST_CASE("a witness that lost its state signs nothing", "[witness]") {
  Witness witness;
  SampleLog log(7);
  must(witness.sign(log.note(7), log));
  must(witness.files.remove(witness.folder / "witness.state"));
  CHECK(mentions(why(witness.sign(log.note(7), log), ErrorCode::kNotFound), "no longer knows"));
  must(write_file(witness.files, witness.folder / "witness.state", as_bytes("nonsense")));
  CHECK_FAILS_WITH(witness.sign(log.note(7), log), ErrorCode::kCorrupt);
}

TEST_CASE("a key file that is none is refused", "[witness]") {
  Witness witness;
  SampleLog log(7);
  for (const std::string& content :
       {std::string(), std::string("nonsense"), std::string(100, 'x'), std::string(1000, 'x'),
        "quietus-witness-key-1 a b\n" + std::string(32, 'x'),
        "quietus-witness-key-1 " + std::string(33, 'x')}) {
    must(write_file(witness.files, witness.place.key, as_bytes(content)));
    CHECK_FAILS_WITH(witness.sign(log.note(7), log), ErrorCode::kCorrupt);
  }
  must(witness.files.remove(witness.place.key));
  CHECK_FAILS_WITH(witness.sign(log.note(7), log), ErrorCode::kNotFound);
}

TEST_CASE("states are read strictly", "[witness]") {
  const WitnessState state = {{"a", {3, leaf_hash(as_bytes("x"))}}, {"b", {0, empty_root()}}};
  const std::string text = format_witness_state(state);
  CHECK(format_witness_state(must(parse_witness_state(text))) == text);
  must(parse_witness_state("quietus-witness-state-1\n"));
  for (const std::string& bad :
       {std::string(), text.substr(1), text.substr(0, text.size() - 1), text + "\n", text + "c\n",
        text + text.substr(24), std::string("quietus-witness-state-1\n\na\n3\nAAAA\n"),
        format_witness_state({state[1], state[0]})}) {
    INFO(bad);
    CHECK_FAILS_WITH(parse_witness_state(bad), ErrorCode::kCorrupt);
  }
}

// The order of things: what a witness signed is on the disk before anybody sees it. So after a
// power cut at any moment, no fork of what was handed out is signed.
TEST_CASE("no cosignature is handed out that a power cut makes the witness forget", "[witness]") {
  SampleLog log(40);
  SampleLog forked(40, "another story");
  bool finished = false;
  for (std::uint64_t n = 1; !finished; ++n) {
    INFO("operation " << n);
    REQUIRE(n < 100);
    Witness witness;
    must(witness.sign(log.note(7), log));
    witness.files.fail_from(n, ErrorCode::kIo);
    const Result<std::string> answer = witness.sign(log.request(7, 23), log);
    finished = !witness.files.failed();
    CHECK(answer.ok() == finished);
    witness.files.crash();
    witness.files.fail_no_more();
    // Either the old state or the new one is there, whole.
    const bool again =
        witness.sign(log.request(7, 23), log).ok() || witness.sign(log.note(23), log).ok();
    CHECK(again);
    if (answer.ok()) CHECK_FALSE(witness.sign(log.request(7, 23), log).ok());
    CHECK_FAILS_WITH(witness.sign(forked.note(23), log), ErrorCode::kUnverified);
  }
}

// Two requests that both go on from the same size, but not from each other: one is signed.
TEST_CASE("of two forks asked for at once one is signed", "[witness][concurrent]") {
  Witness witness;
  SampleLog log(7);
  SampleLog left(7);
  SampleLog right(7);
  for (int i = 0; i < 5; ++i) {
    left.append("left");
    right.append("right");
  }
  must(witness.sign(log.note(7), log));
  const std::string requests[] = {left.request(7, 12), right.request(7, 12)};
  const Trust trust = must(Trust::parse("log " + log.vkey() + "\nquorum none\n"));
  bool signed_it[] = {false, false};
  {
    std::jthread one([&] { signed_it[0] = cosign(witness.place, requests[0], trust).ok(); });
    std::jthread two([&] { signed_it[1] = cosign(witness.place, requests[1], trust).ok(); });
  }
  CHECK(signed_it[0] != signed_it[1]);
}

}  // namespace
}  // namespace quietus::test
