#include "evidence/witness.hpp"

#include <algorithm>

#include "base/text_encoding.hpp"
#include "crypto/random.hpp"
#include "evidence/add_checkpoint.hpp"
#include "evidence/cosignature.hpp"
#include "evidence/text_lines.hpp"
#include "storage/file_lock.hpp"

namespace quietus {
namespace {

constexpr std::string_view kKeyPrefix = "quietus-witness-key-1 ";
constexpr std::string_view kStateFirstLine = "quietus-witness-state-1";
constexpr std::size_t kMaxWitnessName = 255;
constexpr std::size_t kMaxRequest = std::size_t{1} << 20;
constexpr std::size_t kMaxState = std::size_t{1} << 20;
constexpr auto kPatience = std::chrono::seconds(10);

std::filesystem::path state_path(const WitnessPlace& place) {
  return place.key.string() + ".state";
}

std::string random_name() {
  std::array<std::uint8_t, 8> id{};
  random_bytes(id);
  return "quietus-witness/" + to_hex(id);
}

Error damaged(const std::filesystem::path& path, const char* what) {
  return {ErrorCode::kCorrupt, path.string() + ": " + what};
}

struct WitnessKey {
  std::string name;
  SigningKey key;
};

// The file is the prefix, the name, a newline and the 32 bytes of the seed as they are.
Result<void> write_key(const WitnessPlace& place, const WitnessKey& witness) {
  const std::string head = std::string(kKeyPrefix) + witness.name + "\n";
  QUIETUS_TRY_AS(auto file, place.files.open(place.key, FileSystem::Open::kCreate));
  QUIETUS_TRY(file->write_at(0, as_bytes(head)));
  QUIETUS_TRY(witness.key.expose([&](ByteView seed) { return file->write_at(head.size(), seed); }));
  QUIETUS_TRY(file->sync());
  const std::filesystem::path folder = place.key.parent_path();
  return place.files.sync_folder(folder.empty() ? "." : folder);
}

// The name on the first line, or nothing. `head` is all of the file but the seed.
std::optional<std::string_view> key_name(std::string_view head) {
  if (!head.starts_with(kKeyPrefix) || !head.ends_with('\n')) return std::nullopt;
  const std::string_view name = head.substr(kKeyPrefix.size(), head.size() - kKeyPrefix.size() - 1);
  if (!is_note_key_name(name)) return std::nullopt;
  return name;
}

Result<WitnessKey> read_key(const WitnessPlace& place) {
  QUIETUS_TRY_AS(auto file, place.files.open(place.key, FileSystem::Open::kRead));
  QUIETUS_TRY_AS(const std::uint64_t size, file->size());
  const Error not_a_key = damaged(place.key, "not the key of a witness");
  if (size <= kKeySize + kKeyPrefix.size() ||
      size > kKeySize + kKeyPrefix.size() + kMaxWitnessName + 1)
    return not_a_key;
  Bytes head(static_cast<std::size_t>(size) - kKeySize);
  QUIETUS_TRY(file->read_at(0, head));
  const auto name = key_name(as_text(head));
  if (!name) return not_a_key;
  Result<void> read;
  SigningKey key =
      SigningKey::make([&](MutableBytes seed) { read = file->read_at(head.size(), seed); });
  QUIETUS_TRY(std::move(read));
  return WitnessKey{std::string(*name), std::move(key)};
}

Result<WitnessState> read_state(const WitnessPlace& place) {
  const std::filesystem::path path = state_path(place);
  Result<Bytes> text = read_file(place.files, path, kMaxState);
  if (!text && text.error().code() == ErrorCode::kNotFound)
    return Error(ErrorCode::kNotFound,
                 path.string() +
                     " is gone: this witness no longer knows what it cosigned; put the newest copy "
                     "back or make a new key");
  QUIETUS_TRY(text);
  return parse_witness_state(as_text(*text)).within(path.string());
}

// A checkpoint alone is a request that proves nothing.
Result<AddCheckpoint> parse_request(std::string_view text, bool& has_proof) {
  if (text.size() > kMaxRequest)
    return Error(ErrorCode::kInvalidArgument, "request to a witness is larger than 1 MiB");
  has_proof = text.starts_with("old ");
  if (has_proof) return parse_add_checkpoint(text);
  return AddCheckpoint{0, {}, std::string(text)};
}

std::string size_text(std::uint64_t size) {
  return "size " + std::to_string(size);
}

// Whether `next` goes on from `last`, the newest checkpoint that was cosigned of this log.
Result<void> check_progress(const TreeHead& last, const TreeHead& next,
                            const AddCheckpoint& request, bool has_proof) {
  if (next.size < last.size)
    return Error(ErrorCode::kRolledBack, "rolled back: this witness cosigned " +
                                             size_text(last.size) + " of the log, this is " +
                                             size_text(next.size));
  if (next.size == last.size && next.root != last.root)
    return Error(ErrorCode::kUnverified,
                 "fork: this witness cosigned another root at " + size_text(next.size));
  if (has_proof && request.old_size != last.size)
    return Error(ErrorCode::kRefused, "this witness last cosigned " + size_text(last.size) +
                                          "; get a proof from there with `quietus audit proof "
                                          "--from " +
                                          std::to_string(last.size) + "`");
  if (last.size == 0 || next.size == last.size) {
    if (request.proof.empty()) return {};
    return Error(ErrorCode::kUnverified, "request to a witness has a proof where none is possible");
  }
  if (!has_proof)
    return Error(ErrorCode::kRefused, "no consistency proof: this witness cosigned " +
                                          size_text(last.size) +
                                          " before; get one with `quietus audit proof --from " +
                                          std::to_string(last.size) + "`");
  return verify_consistency(last, next, request.proof)
      .within("fork: the log does not go on from " + size_text(last.size) +
              ", which this witness cosigned");
}

// The place of a log in the state, where it is or belongs.
WitnessState::iterator find_log(WitnessState& state, std::string_view origin) {
  return std::lower_bound(state.begin(), state.end(), origin,
                          [](const Checkpoint& a, std::string_view b) { return a.origin < b; });
}

// Replaces what is remembered of the log by a checkpoint that goes on from it.
Result<void> advance(WitnessState& state, const Checkpoint& next, const AddCheckpoint& request,
                     bool has_proof) {
  auto known = find_log(state, next.origin);
  if (known == state.end() || known->origin != next.origin) {
    if (state.size() == kMaxWitnessedLogs)
      return Error(ErrorCode::kFull, "this witness has as many logs as it can have");
    known = state.insert(known, Checkpoint{next.origin, {0, empty_root()}});
  }
  QUIETUS_TRY(check_progress(known->head, next.head, request, has_proof));
  *known = next;
  return {};
}

}  // namespace

std::string format_witness_state(const WitnessState& state) {
  std::string text(kStateFirstLine);
  text.append("\n");
  for (const Checkpoint& checkpoint : state)
    text.append("\n").append(format_checkpoint(checkpoint));
  return text;
}

Result<WitnessState> parse_witness_state(std::string_view text) {
  const Error malformed(ErrorCode::kCorrupt, "state of a witness is damaged");
  LineReader lines(text);
  if (lines.next() != kStateFirstLine) return malformed;
  WitnessState state;
  for (auto blank = lines.next(); blank; blank = lines.next()) {
    const auto origin = lines.next();
    const auto size = lines.next();
    const auto root = lines.next();
    if (!blank->empty() || !root) return malformed;
    const auto checkpoint = parse_checkpoint(
        std::string(*origin).append("\n").append(*size).append("\n").append(*root).append("\n"));
    if (!checkpoint || (!state.empty() && state.back().origin >= checkpoint->origin))
      return malformed;
    state.push_back(*checkpoint);
  }
  if (!lines.rest().empty() || state.size() > kMaxWitnessedLogs) return malformed;
  return state;
}

Result<std::string> create_witness(const WitnessPlace& place, std::string_view name) {
  if (!name.empty() && (!is_note_key_name(name) || name.size() > kMaxWitnessName))
    return Error(
        ErrorCode::kInvalidArgument,
        "a witness's name has no spaces, plus signs or control characters, and at most 255 "
        "bytes");
  const WitnessKey witness{name.empty() ? random_name() : std::string(name),
                           random_key<SigningRole>()};
  // A key without a state does not sign, so the state comes second.
  QUIETUS_TRY(write_key(place, witness));
  QUIETUS_TRY(write_file(place.files, state_path(place), as_bytes(format_witness_state({}))));
  return format_vkey({witness.name, ed25519_public_key(witness.key), NoteKeyType::kCosignature});
}

Result<std::string> cosign(const WitnessPlace& place, std::string_view request, const Trust& logs) {
  bool has_proof = false;
  QUIETUS_TRY_AS(const AddCheckpoint asked, parse_request(request, has_proof));
  QUIETUS_TRY(logs.open_checkpoint(asked.checkpoint));
  QUIETUS_TRY_AS(const SignedNote note, parse_note(asked.checkpoint));
  QUIETUS_TRY_AS(const Checkpoint next, parse_checkpoint(note.text));

  // Look, decide and remember under one lock, and remember before anybody sees the cosignature.
  QUIETUS_TRY_AS(const FileLock lock, FileLock::take(place.key, kPatience));
  QUIETUS_TRY_AS(const WitnessKey witness, read_key(place));
  QUIETUS_TRY_AS(WitnessState state, read_state(place));
  QUIETUS_TRY(advance(state, next, asked, has_proof));
  const std::string text = format_witness_state(state);
  if (text.size() > kMaxState)
    return Error(ErrorCode::kFull, "this witness has as many logs as it can have");
  QUIETUS_TRY(write_file(place.files, state_path(place), as_bytes(text)));
  const auto seconds =
      static_cast<std::uint64_t>(std::max<UnixMillis>(place.clock.now(), 0) / 1000);
  QUIETUS_TRY_AS(const std::string line,
                 cosign_text(note.text, witness.name, witness.key, seconds));
  return asked.checkpoint + line;
}

Result<std::string> create_witness(const std::filesystem::path& key, std::string_view name) {
  return create_witness(WitnessPlace{posix_file_system(), system_clock(), key}, name);
}

Result<std::string> cosign(const std::filesystem::path& key, std::string_view request,
                           const Trust& logs) {
  return cosign(WitnessPlace{posix_file_system(), system_clock(), key}, request, logs);
}

}  // namespace quietus
