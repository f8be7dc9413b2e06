#include "vault_core.hpp"

#include <unistd.h>

#include <cstdlib>

#include "base/failpoint.hpp"
#include "base/text_encoding.hpp"
#include "crypto/random.hpp"
#include "evidence/certificate.hpp"
#include "keys/memory_root.hpp"
#include "unreadable_record_store.hpp"

namespace quietus {
namespace {

constexpr std::uint64_t kMaxPath = 8192;  // bytes, of a path in a mark

// In a forked child nothing may be taken down: locks, maps and threads belong to the parent.
void take_down(VaultCore* core) {
  if (core->cache && core->cache->forked()) return;
  delete core;
}

std::filesystem::path default_root_base() {
  if (::geteuid() == 0) return "/var/lib/quietus-roots";
  const char* state = std::getenv("XDG_STATE_HOME");  // NOLINT(concurrency-mt-unsafe)
  if (state != nullptr && *state == '/') return std::filesystem::path(state) / "quietus" / "roots";
  const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe)
  return std::filesystem::path(home != nullptr ? home : "/") / ".local/state/quietus/roots";
}

std::string root_folder_name(const VaultHeader& header) {
  std::string name = to_hex(header.vault);
  if (header.instance != InstanceId{}) name += "-" + to_hex(header.instance);
  return name;
}

}  // namespace

bool lies_inside(const std::filesystem::path& inner, const std::filesystem::path& outer) {
  const auto relative = inner.lexically_relative(outer);
  return !relative.empty() && *relative.begin() != "..";
}

namespace {

// The absolute form, with links resolved as far as the path exists.
Result<std::filesystem::path> resolved(const std::filesystem::path& path) {
  std::error_code error;
  auto absolute = std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
  if (error) return Error(ErrorCode::kInvalidArgument, path.string() + ": " + error.message());
  if (!is_utf8(absolute.string()))
    return Error(ErrorCode::kInvalidArgument, "the path is not valid UTF-8");
  return absolute;
}

Result<void> remove_slots(FileRoot& slots) {
  QUIETUS_TRY_AS(const auto names, slots.list());
  for (const SlotName& slot : names) QUIETUS_TRY(slots.destroy(slot));
  return slots.remove_remains();
}

Result<void> remove_if_there(FileSystem& files, const std::filesystem::path& path) {
  QUIETUS_TRY_AS(const bool there, files.exists(path));
  if (there) QUIETUS_TRY(files.remove(path));
  return {};
}

// The folder of root slots that were never used, with what belongs there; not with what does not.
Result<void> remove_root_folder(FileSystem& files, const std::filesystem::path& folder,
                                FileRoot& slots) {
  QUIETUS_TRY_AS(const bool made, files.exists(folder));
  if (!made) return {};
  QUIETUS_TRY(remove_slots(slots));
  for (const auto& path : {anchor_path(folder), root_lock_path(folder), folder / "CACHEDIR.TAG",
                           unfinished_mark(folder)}) {
    QUIETUS_TRY(remove_if_there(files, path));
    QUIETUS_TRY(remove_if_there(files, path.string() + ".new"));
  }
  std::error_code not_empty;
  std::filesystem::remove(folder, not_empty);
  return {};
}

// Whether the slots in that folder are of a vault that was being made in this place.
Result<bool> is_unfinished_at(FileSystem& files, const std::filesystem::path& root_folder,
                              const std::filesystem::path& place) {
  const auto mark = read_file(files, unfinished_mark(root_folder), kMaxPath);
  if (!mark && mark.error().code() == ErrorCode::kNotFound) return false;
  QUIETUS_TRY(mark);
  return as_text(*mark) == place.string();
}

// What an interrupted creation left behind: its own files and unused root slots, nothing else.
Result<void> remove_unfinished(FileSystem& files, const VaultFiles& vault) {
  QUIETUS_TRY_AS(const bool unfinished, files.exists(vault.unfinished_header()));
  if (!unfinished) return {};
  if (const auto header = read_header(files, vault.unfinished_header())) {
    // The path may be a copy's, or anybody's: only a folder that says itself that its vault was
    // never finished is taken away.
    QUIETUS_TRY_AS(const bool unused, is_unfinished_at(files, header->root_folder, vault.folder));
    FileRoot slots(files, {header->root_folder, header->vault, false}, {});
    if (unused) QUIETUS_TRY(remove_root_folder(files, header->root_folder, slots));
    std::error_code not_empty;
    std::filesystem::remove(header->root_folder, not_empty);
  }
  for (const auto& path : {vault.control(), vault.control_lock(), vault.records(),
                           vault.records_lock(), vault.holders(), vault.unfinished_header()}) {
    QUIETUS_TRY(remove_if_there(files, path));
  }
  return files.sync_folder(vault.folder);
}

Result<void> require_empty(FileSystem& files, const VaultFiles& vault) {
  QUIETUS_TRY_AS(const bool taken, files.exists(vault.header()));
  if (taken)
    return Error(ErrorCode::kAlreadyExists, vault.folder.string() + ": is a vault already");
  QUIETUS_TRY(remove_unfinished(files, vault));
  QUIETUS_TRY_AS(const auto names, files.list(vault.folder));
  for (const std::string& name : names)
    if (name != "runtime")
      return Error(ErrorCode::kAlreadyExists, vault.folder.string() + ": is not empty");
  return {};
}

// Of two that make a vault in one folder, the second one is sent away.
Result<LockFile> lock_against_makers(FileSystem& files, const VaultFiles& vault) {
  QUIETUS_TRY(files.make_folder(vault.runtime()));
  QUIETUS_TRY_AS(LockFile lock, LockFile::make(vault.making()));
  QUIETUS_TRY_AS(const bool alone, lock.try_lock(0, LockFile::Mode::kExclusive));
  if (!alone)
    return Error(ErrorCode::kBusy, vault.folder.string() + ": a vault is being made there");
  return lock;
}

Result<void> check_place(FileSystem& files, const VaultFiles& vault, FileRoot& provider,
                         const std::filesystem::path& root_folder, const CreateOptions& options) {
  if (lies_inside(root_folder, vault.folder) && !options.insecure_root_in_vault)
    return Error(ErrorCode::kRefused,
                 "the root slots would lie inside the vault, where every copy of the vault takes "
                 "them along and erased data can come back; choose another place for them");
  static_cast<void>(files);
  const Assurance assurance = provider.assurance();
  if (!assurance.known && !options.accept_unknown_medium)
    return Error(ErrorCode::kRefused, root_folder.string() + ": " + assurance.text +
                                          "; choose another place, or accept that certificates "
                                          "will say so and never be complete");
  return {};
}

}  // namespace

std::string tool_version() {
  return "quietus " QUIETUS_VERSION;
}

VaultCore::~VaultCore() {
  if (keys && activity && !options.read_only && !destroyed) static_cast<void>(activity->flush());
  if (keys && !options.read_only && !destroyed && !recovery_pending) {
    // A clean close leaves the anchor up to date; where that fails, the next open finds it older,
    // which is no harm.
    const auto refreshed = keys->refresh_anchor();
    static_cast<void>(refreshed);
  }
}

// Erasing needs no records: that they are missing or damaged must not keep keys alive.
Result<void> VaultCore::open_records(const LmdbOptions& how) {
  auto opened = open_lmdb_records(files.records(), how);
  const ErrorCode code = opened ? ErrorCode::kInternal : opened.error().code();
  if (!how.create && (code == ErrorCode::kCorrupt || code == ErrorCode::kNotFound)) {
    record_store = std::make_unique<UnreadableRecordStore>(std::move(opened).error());
    return {};
  }
  QUIETUS_TRY_AS(record_store, std::move(opened));
  return {};
}

// Opens the stores and joins the holders; reads no key yet.
Result<void> VaultCore::connect(std::shared_ptr<const UnlockSecret> secret, bool create) {
  LmdbOptions store_options;
  store_options.vault = header.vault;
  store_options.create = create;
  store_options.read_only = options.read_only;
  QUIETUS_TRY_AS(control, open_lmdb_control(files.control(), store_options));
  QUIETUS_TRY(open_records(store_options));
  const bool inside = lies_inside(header.root_folder, files.folder);
  if (!provider)
    provider = std::make_unique<FileRoot>(environment.files,
                                          FileRootOptions{header.root_folder, header.vault, inside},
                                          SlotUnlock{std::move(secret), {}});
  anchor = std::make_unique<AnchorFile>(environment.files, anchor_path(header.root_folder));
  if (!options.read_only) QUIETUS_TRY(environment.files.make_folder(files.runtime()));
  const bool cached = options.key_caching == KeyCaching::kGuarded;
  QUIETUS_TRY_AS(holders, Holders::join({files.control(), files.runtime(), options.read_only,
                                         !cached, root_lock_path(header.root_folder)}));
  QUIETUS_TRY_AS(
      cache, KeyCache::start(*holders, cached ? KeyCache::Mode::kGuarded : KeyCache::Mode::kNone));
  KeyStore::Parts parts{lock_files(),      *control,       *provider,
                        *anchor,           *holders,       *cache,
                        environment.clock, tool_version(), log_origin(header)};
  parts.instance = header.instance;
  parts.lock_timeout = options.lock_timeout;
  parts.acknowledgement_timeout = options.acknowledgement_timeout;
  parts.read_only = options.read_only;
  parts.files = &environment.files;
  keys = std::make_unique<KeyStore>(parts);
  records = std::make_unique<Records>(*keys, *record_store, environment.clock);
  const Activity::Mode written = cached ? Activity::Mode::kThread : Activity::Mode::kAtOnce;
  activity = std::make_unique<Activity>(*keys, *holders, environment.clock,
                                        options.read_only ? Activity::Mode::kOff : written);
  return {};
}

Result<std::shared_ptr<VaultCore>> VaultCore::create(const std::filesystem::path& folder,
                                                     const Unlock& unlock,
                                                     const CreateOptions& options,
                                                     Environment environment) {
  VaultHeader header;
  random_bytes(header.vault);
  return make(
      folder, unlock,
      {options, header, [](VaultCore& core) { return core.keys->create(core.header.vault); }},
      environment);
}

Result<std::shared_ptr<VaultCore>> VaultCore::make(const std::filesystem::path& folder,
                                                   const Unlock& unlock, const Making& making,
                                                   Environment environment) {
  QUIETUS_TRY_AS(const auto place, resolved(folder));
  std::shared_ptr<VaultCore> core(new VaultCore(place, OpenOptions{}, environment), take_down);
  core->recovery_pending = true;  // no anchor is written by a destructor before it is complete
  FileSystem& files = environment.files;
  const CreateOptions& options = making.options;
  const Argon2Parameters argon2{options.passphrase_passes, options.passphrase_memory_kib};
  if (!check_argon2(argon2))
    return Error(ErrorCode::kInvalidArgument, "passphrase cost: out of bounds");
  std::shared_ptr<const UnlockSecret> secret;
  if (!making.in_memory) {
    QUIETUS_TRY_AS(secret, load_secret(files, unlock));
    core->secret_file = secret_file_of(unlock);
  }
  QUIETUS_TRY(files.make_folder(place));
  QUIETUS_TRY_AS(const LockFile alone, lock_against_makers(files, core->files));
  QUIETUS_TRY(require_empty(files, core->files));
  core->header = making.header;
  const auto base = options.root_folder.empty() ? default_root_base() : options.root_folder;
  QUIETUS_TRY_AS(const auto resolved_base, resolved(base));
  core->header.root_folder = resolved_base / root_folder_name(core->header);
  const bool inside = lies_inside(core->header.root_folder, place);
  SlotUnlock slot_unlock{secret, {}};
  if (secret) slot_unlock.parameters = secret->fresh_parameters(argon2);
  auto slots = std::make_unique<FileRoot>(
      files, FileRootOptions{core->header.root_folder, core->header.vault, inside},
      std::move(slot_unlock));
  QUIETUS_TRY(files.make_folder(resolved_base));
  QUIETUS_TRY(check_place(files, core->files, *slots, core->header.root_folder, options));
  // From here on an interrupted creation can be recognised and taken away.
  QUIETUS_TRY(write_file(files, core->files.unfinished_header(), encode_header(core->header)));
  QUIETUS_FAILPOINT("create/after-header");
  QUIETUS_TRY(files.make_folder(core->header.root_folder));
  // Which folder it is for: a copy of that one names the same slots, and must not take them away.
  QUIETUS_TRY(
      write_file(files, unfinished_mark(core->header.root_folder), as_bytes(place.string())));
  QUIETUS_TRY(slots->prepare());
  if (making.in_memory)
    core->provider = std::make_unique<MemoryRoot>();
  else
    core->provider = std::move(slots);
  QUIETUS_FAILPOINT("create/after-room");
  QUIETUS_TRY(core->connect(secret, true));
  QUIETUS_FAILPOINT("create/after-stores");
  QUIETUS_TRY(making.fill(*core));
  QUIETUS_FAILPOINT("create/before-rename");
  QUIETUS_TRY(files.rename(core->files.unfinished_header(), core->files.header()));
  QUIETUS_TRY(files.sync_folder(place));
  QUIETUS_FAILPOINT("create/after-rename");
  QUIETUS_TRY(files.remove(unfinished_mark(core->header.root_folder)));
  QUIETUS_TRY(files.sync_folder(core->header.root_folder));
  QUIETUS_TRY(remove_if_there(files, core->files.making()));
  core->recovery_pending = false;
  return core;
}

Result<bool> VaultCore::take_away_unfinished(const std::filesystem::path& folder,
                                             const VaultHeader& made, Environment environment) {
  FileSystem& files = environment.files;
  QUIETUS_TRY_AS(const auto place, resolved(folder));
  const VaultFiles vault(place);
  QUIETUS_TRY_AS(const LockFile alone, lock_against_makers(files, vault));
  QUIETUS_TRY_AS(const bool finished, files.exists(vault.header()));
  QUIETUS_TRY_AS(const bool begun, files.exists(vault.unfinished_header()));
  QUIETUS_TRY_AS(const bool unused, is_unfinished_at(files, made.root_folder, place));
  if (finished || !begun || !unused) return false;
  const Bytes expected = encode_header(made);
  QUIETUS_TRY_AS(const Bytes found, read_file(files, vault.unfinished_header(), expected.size()));
  if (found != expected) return false;
  const bool inside = lies_inside(made.root_folder, place);
  FileRoot slots(files, {made.root_folder, made.vault, inside}, {});
  bool gone = slots.assurance().known && !inside;
  QUIETUS_TRY_AS(const auto names, slots.list());
  for (const SlotName& slot : names) {
    QUIETUS_TRY_AS(const SlotDestruction destroyed, slots.destroy(slot));
    gone = gone && destroyed.complete();
  }
  QUIETUS_TRY(remove_unfinished(files, vault));
  return gone;
}

Result<std::shared_ptr<VaultCore>> VaultCore::assemble(const std::filesystem::path& folder,
                                                       const Unlock& unlock,
                                                       const OpenOptions& options,
                                                       Environment environment) {
  QUIETUS_TRY_AS(const auto place, resolved(folder));
  std::shared_ptr<VaultCore> core(new VaultCore(place, options, environment), take_down);
  auto header = read_header(environment.files, core->files.header());
  if (!header && header.error().code() == ErrorCode::kNotFound)
    return Error(ErrorCode::kNotFound, place.string() + ": no vault there");
  QUIETUS_TRY_AS(core->header, std::move(header));
  QUIETUS_TRY_AS(auto secret, load_secret(environment.files, unlock));
  core->secret_file = secret_file_of(unlock);
  QUIETUS_TRY(core->connect(std::move(secret), false));
  return core;
}

// What interrupted writers left behind. Only while nobody else is there: then none of them is
// alive. That it cannot be taken away is no reason not to open: an erasure needs no records.
void VaultCore::collect_garbage() {
  const auto count = holders->count();
  if (!count || *count > 1) return;
  const auto collected = records->collect_garbage([](const WriterToken&) { return false; });
  if (!collected) note("leftovers of interrupted writes stay: " + collected.error().text());
}

// A crash at the end of the vault's making may have left the mark.
Result<void> VaultCore::forget_unfinished() {
  const std::filesystem::path mark = unfinished_mark(header.root_folder);
  QUIETUS_TRY_AS(const bool marked, environment.files.exists(mark));
  if (!marked) return {};
  QUIETUS_TRY(environment.files.sync_folder(files.folder));
  QUIETUS_TRY(environment.files.remove(mark));
  return environment.files.sync_folder(header.root_folder);
}

Result<std::shared_ptr<VaultCore>> VaultCore::open(const std::filesystem::path& folder,
                                                   const Unlock& unlock, const OpenOptions& options,
                                                   Environment environment) {
  QUIETUS_TRY_AS(auto core, assemble(folder, unlock, options, environment));
  auto opened = core->keys->open(core->header.vault);
  if (!opened) {
    core->recovery_pending = true;  // nothing here may touch the anchor
    return std::move(opened).error();
  }
  core->recovery_pending = opened->recovery_pending;
  core->note_opened(*opened);
  if (!options.read_only) QUIETUS_TRY(core->forget_unfinished());
  if (options.require_locked_memory && !guarded_memory_status().all_locked())
    return Error(ErrorCode::kUnavailable,
                 "the system does not let key memory be locked; raise RLIMIT_MEMLOCK");
  if (!options.read_only) core->collect_garbage();
  core->options.notice = nullptr;  // what it captured may end with the call
  return core;
}

// The root node was sealed under a key that nobody has, so there is nothing to unlock: what is left
// of the slots opens old copies of the store only, and is destroyed here.
Result<void> VaultCore::finish_destruction(const std::filesystem::path& folder,
                                           Environment environment) {
  QUIETUS_TRY_AS(const auto place, resolved(folder));
  const VaultFiles vault(place);
  QUIETUS_TRY_AS(const VaultHeader header, read_header(environment.files, vault.header()));
  QUIETUS_TRY_AS(const auto lock,
                 RootChangeLock::take({vault.control(), root_lock_path(header.root_folder)},
                                      LockFile::Mode::kExclusive, OpenOptions{}.lock_timeout));
  LmdbOptions store_options;
  store_options.vault = header.vault;
  QUIETUS_TRY_AS(const auto control, open_lmdb_control(vault.control(), store_options));
  RootRow row;
  QUIETUS_TRY(control->read([&](ControlReader& reader) -> Result<void> {
    QUIETUS_TRY_AS(SealedRootRow sealed, read_root_row(reader));
    row = std::move(sealed.row);
    return {};
  }));
  if (row.state != VaultState::kDestroying || row.vault != header.vault)
    return Error(ErrorCode::kRefused, "the destruction of this vault was never begun");
  // The decision must be on the disk for certain before anything dies (as in recovery).
  QUIETUS_TRY(control->update(WriteClass::kErasure, [&](ControlWriter& writer) -> Result<void> {
    QUIETUS_TRY_AS(const SealedRootRow sealed, read_root_row(writer));
    return rewrite_root_row(writer, sealed);
  }));
  FileRoot slots(environment.files, {header.root_folder, header.vault, false}, {});
  QUIETUS_TRY(remove_slots(slots));
  QUIETUS_TRY_AS(const auto left, slots.list());
  if (!left.empty())
    return Error(ErrorCode::kErasureIncomplete, "a root slot is still listed; try again");
  return {};
}

}  // namespace quietus
