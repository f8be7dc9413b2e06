// What a vault shows of its evidence log.
#include <quietus/vault.hpp>

#include <algorithm>

#include "base/text_encoding.hpp"
#include "evidence/add_checkpoint.hpp"
#include "evidence/certificate.hpp"
#include "evidence/cosignature_rows.hpp"
#include "evidence/log_continuity.hpp"
#include "evidence/log_tiles.hpp"
#include "evidence/trust_file.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

// The log, and its key, in one snapshot.
class LogView {
 public:
  LogView(VaultCore& core, ControlReader& reader, ScopeTable& scopes)
      : origin_(log_origin(core.header)), reader_(reader), rows_(scopes.seal()) {}

  LogSeal seal() const { return {rows_.key, rows_.vault, rows_.context}; }
  const std::string& origin() const noexcept { return origin_; }
  Result<SigningKey> key() const { return rows::signing_key(reader_, rows_, "log-key"); }
  Result<NoteKey> verifier_key() const {
    QUIETUS_TRY_AS(const SigningKey secret, key());
    return NoteKey{origin_, ed25519_public_key(secret)};
  }

  // As it was at that size, or is now.
  Result<Checkpoint> checkpoint(std::optional<std::uint64_t> size) const {
    QUIETUS_TRY_AS(TreeHead head, quietus::log_head(reader_));
    if (size) {
      QUIETUS_TRY_AS(head.root, root_at(reader_, *size));
      head.size = *size;
    }
    return Checkpoint{origin_, head};
  }

  // With the cosignatures that are kept for it.
  Result<std::string> signed_note(const Checkpoint& checkpoint) const {
    QUIETUS_TRY_AS(const SigningKey secret, key());
    QUIETUS_TRY_AS(std::string note, sign_checkpoint(checkpoint, secret));
    QUIETUS_TRY_AS(const auto cosignatures,
                   stored_cosignatures(reader_, seal(), checkpoint.head.size));
    for (const NoteSignature& cosignature : cosignatures) note += format_signature(cosignature);
    return note;
  }

 private:
  std::string origin_;
  ControlReader& reader_;
  RowSeal rows_;
};

LogHead shown(const Checkpoint& checkpoint) {
  return {checkpoint.origin, checkpoint.head.size, to_hex(checkpoint.head.root)};
}

// Runs `look(LogView, ControlReader)` on a snapshot.
template <class F>
Result<void> with_log(VaultCore& core, F&& look) {
  return core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
    return look(LogView(core, reader, scopes), reader);
  });
}

// One file of an exported log. Each is read in a snapshot of its own: what is in the log once does
// not change, and no erasure has to wait for a disk.
template <class F>
Result<void> export_file(VaultCore& core, const std::filesystem::path& path, F&& content_of) {
  Bytes content;
  QUIETUS_TRY(with_log(core, [&](const LogView& log, ControlReader& reader) -> Result<void> {
    QUIETUS_TRY_AS(content, content_of(log, reader));
    return {};
  }));
  QUIETUS_TRY(core.environment.files.make_folder(path.parent_path()));
  return write_file(core.environment.files, path, content);
}

Result<void> export_tiles(VaultCore& core, const std::filesystem::path& folder,
                          std::uint64_t size) {
  for (std::uint8_t level = 0; level < kTileLevels; ++level) {
    for (std::uint64_t i = 0; i < tile_count(size, level); ++i) {
      const Tile tile = tile_at(size, level, i);
      QUIETUS_TRY(
          export_file(core, folder / tile_path(tile),
                      [&](const LogView&, ControlReader& r) { return read_tile(r, tile); }));
      if (level != 0) continue;
      QUIETUS_TRY(export_file(core, folder / bundle_path(tile),
                              [&](const LogView& log, ControlReader& reader) {
                                return read_bundle(reader, log.seal(), tile);
                              }));
    }
  }
  return {};
}

Result<void> require_empty(FileSystem& files, const std::filesystem::path& folder) {
  const auto names = files.list(folder);
  if (!names && names.error().code() == ErrorCode::kNotFound) return {};
  QUIETUS_TRY(names);
  if (names->empty()) return {};
  return Error(ErrorCode::kAlreadyExists, folder.string() + " is not empty");
}

// The signature lines of a note that are the cosignatures of these voters.
std::vector<NoteSignature> lines_of(const SignedNote& note, const TrustRules& rules,
                                    const std::vector<VerifiedCosignature>& cosignatures) {
  std::vector<NoteSignature> lines;
  for (const VerifiedCosignature& cosignature : cosignatures) {
    const NoteKey& key = *rules.voters[cosignature.voter].key;
    const auto line = std::find_if(
        note.signatures.begin(), note.signatures.end(), [&](const NoteSignature& signature) {
          return signature.name == key.name && signature.key_id == key.id();
        });
    lines.push_back(*line);
  }
  return lines;
}

Result<void> check_own_checkpoint(ControlReader& reader, const std::string& origin,
                                  const SignedNote& note) {
  QUIETUS_TRY_AS(const Checkpoint checkpoint, parse_checkpoint(note.text));
  QUIETUS_TRY_AS(const TreeHead head, quietus::log_head(reader));
  QUIETUS_TRY(check_not_rolled_back(checkpoint, {origin, head}));
  QUIETUS_TRY_AS(const Hash root, root_at(reader, checkpoint.head.size));
  QUIETUS_TRY(check_not_forked(checkpoint, root));
  if (format_checkpoint(checkpoint) == note.text) return {};
  return Error(ErrorCode::kUnverified, "checkpoint has lines that this log does not write");
}

}  // namespace

Result<LogHead> Vault::log_head() {
  if (!core_) return closed();
  QUIETUS_TRY_AS(const TreeHead head, core_->keys->log_head());
  return LogHead{log_origin(core_->header), head.size, to_hex(head.root)};
}

Result<std::string> Vault::log_entry(std::uint64_t index) {
  if (!core_) return closed();
  std::string text;
  QUIETUS_TRY(
      core_->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY_AS(const Bytes entry,
                       read_entry(reader, {seal.key, seal.vault, seal.context}, index));
        text = as_text(entry);
        return {};
      }));
  return text;
}

Result<std::string> Vault::log_verifier_key() {
  if (!core_) return closed();
  std::string vkey;
  QUIETUS_TRY(with_log(*core_, [&](const LogView& log, ControlReader&) -> Result<void> {
    QUIETUS_TRY_AS(const NoteKey key, log.verifier_key());
    vkey = format_vkey(key);
    return {};
  }));
  return vkey;
}

Result<std::string> Vault::log_checkpoint(std::optional<std::uint64_t> size) {
  if (!core_) return closed();
  std::string note;
  QUIETUS_TRY(with_log(*core_, [&](const LogView& log, ControlReader&) -> Result<void> {
    QUIETUS_TRY_AS(const Checkpoint checkpoint, log.checkpoint(size));
    QUIETUS_TRY_AS(note, log.signed_note(checkpoint));
    return {};
  }));
  return note;
}

Result<LogHead> Vault::verify_log(std::optional<std::string_view> older_checkpoint) {
  if (!core_) return closed();
  Checkpoint verified;
  QUIETUS_TRY(with_log(*core_, [&](const LogView& log, ControlReader& reader) -> Result<void> {
    verified.origin = log.origin();
    QUIETUS_TRY_AS(verified.head, quietus::verify_log(reader, log.seal()));
    if (!older_checkpoint) return {};
    QUIETUS_TRY_AS(const NoteKey key, log.verifier_key());
    QUIETUS_TRY_AS(const Checkpoint older,
                   open_checkpoint(*older_checkpoint, key).within("older checkpoint"));
    QUIETUS_TRY(check_not_rolled_back(older, verified));
    QUIETUS_TRY_AS(const Hash root, root_at(reader, older.head.size));
    return check_not_forked(older, root);
  }));
  return shown(verified);
}

Result<std::string> Vault::log_proof(std::uint64_t old_size, std::optional<std::uint64_t> size) {
  if (!core_) return closed();
  AddCheckpoint request;
  QUIETUS_TRY(with_log(*core_, [&](const LogView& log, ControlReader& reader) -> Result<void> {
    QUIETUS_TRY_AS(const Checkpoint checkpoint, log.checkpoint(size));
    request.old_size = old_size;
    if (old_size != 0) {
      QUIETUS_TRY_AS(request.proof, consistency_proof(reader, old_size, checkpoint.head.size));
    }
    QUIETUS_TRY_AS(request.checkpoint, log.signed_note(checkpoint));
    return {};
  }));
  return format_add_checkpoint(request);
}

Result<std::vector<WitnessStatement>> Vault::add_cosignatures(std::string_view checkpoint,
                                                              const Trust& witnesses) {
  if (!core_) return closed();
  QUIETUS_TRY_AS(const SignedNote note, parse_note(checkpoint));
  QUIETUS_TRY_AS(const auto cosignatures, verified_cosignatures(witnesses.rules(), note));
  if (cosignatures.empty())
    return Error(ErrorCode::kUnverified, "no cosignature by a witness of the trust file");
  const auto lines = lines_of(note, witnesses.rules(), cosignatures);
  QUIETUS_TRY(
      core_->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        const LogView log(*core_, writer, scopes);
        QUIETUS_TRY(check_own_checkpoint(writer, log.origin(), note));
        QUIETUS_TRY_AS(const Checkpoint own, parse_checkpoint(note.text));
        return store_cosignatures(writer, log.seal(), own.head.size, lines);
      }));
  return statements_of(witnesses.rules(), cosignatures);
}

Result<LogHead> Vault::export_log(const std::filesystem::path& folder,
                                  std::optional<std::uint64_t> size) {
  if (!core_) return closed();
  QUIETUS_TRY(require_empty(core_->environment.files, folder));
  Checkpoint checkpoint;
  QUIETUS_TRY(with_log(*core_, [&](const LogView& log, ControlReader&) -> Result<void> {
    QUIETUS_TRY_AS(checkpoint, log.checkpoint(size));
    return {};
  }));
  QUIETUS_TRY(export_tiles(*core_, folder, checkpoint.head.size));
  QUIETUS_TRY(export_file(*core_, folder / "checkpoint",
                          [&](const LogView& log, ControlReader&) -> Result<Bytes> {
                            QUIETUS_TRY_AS(const std::string note, log.signed_note(checkpoint));
                            return Bytes(note.begin(), note.end());
                          }));
  return shown(checkpoint);
}

}  // namespace quietus
