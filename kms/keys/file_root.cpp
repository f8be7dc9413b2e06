#include "keys/file_root.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "base/byte_writer.hpp"
#include "base/failpoint.hpp"
#include "base/secret.hpp"
#include "base/text_encoding.hpp"
#include "crypto/random.hpp"

namespace quietus {
namespace {

constexpr std::string_view kSlotPrefix = "slot-";
constexpr std::string_view kGonePrefix = "gone-";

std::string stem_of(const SlotName& slot) {
  ByteWriter generation;
  generation.u64(slot.generation);
  return to_hex(generation.view()) + "-" + to_hex(slot.id);
}

// "slot-<16 hex>-<32 hex>.<0|1>" with this prefix; anything else is not ours.
std::optional<std::pair<SlotName, std::uint8_t>> parse_name(std::string_view prefix,
                                                            std::string_view name) {
  constexpr std::size_t kStem = 16 + 1 + 32;
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  if (name.size() != kStem + 2 || name[16] != '-' || name[kStem] != '.') return std::nullopt;
  const char mirror = name.back();
  const auto generation = from_hex(name.substr(0, 16));
  const auto id = from_hex(name.substr(17, 32));
  if (!generation || !id || mirror < '0' || mirror >= '0' + kSlotMirrors) return std::nullopt;
  SlotName slot;
  for (const std::uint8_t byte : *generation) slot.generation = slot.generation << 8 | byte;
  std::copy(id->begin(), id->end(), slot.id.begin());
  return std::pair{slot, static_cast<std::uint8_t>(mirror - '0')};
}

}  // namespace

std::filesystem::path FileRoot::path_of(std::string_view prefix, const SlotName& slot,
                                        std::uint8_t mirror) const {
  return options_.folder /
         (std::string(prefix) + stem_of(slot) + "." + static_cast<char>('0' + mirror));
}

Result<void> FileRoot::prepare() {
  QUIETUS_TRY(files_.make_folder(options_.folder));
  // The signature of the Cache Directory Tagging Specification: backup tools leave the folder out.
  constexpr std::string_view kTag =
      "Signature: 8a477f597d28d172789f06886806bc55\n"
      "# Root slots of a quietus vault. They must be in no backup: a copy of a slot brings erased\n"
      "# data back.\n";
  QUIETUS_TRY(write_file(files_, options_.folder / "CACHEDIR.TAG", as_bytes(kTag)));
  QUIETUS_TRY(files_.open(options_.folder / "lock", FileSystem::Open::kCreate));
  for (std::uint8_t pair = 0; pair < 2; ++pair) {
    SlotName room;
    random_bytes(room.id);
    for (std::uint8_t mirror = 0; mirror < kSlotMirrors; ++mirror) {
      QUIETUS_TRY_AS(auto file,
                     files_.open(path_of(kGonePrefix, room, mirror), FileSystem::Open::kCreate));
      Bytes filler(kSlotFileSize);
      random_bytes(filler);
      QUIETUS_TRY(file->write_at(0, filler));
      QUIETUS_TRY(file->sync());
    }
  }
  return files_.sync_folder(options_.folder);
}

// A file under the slot's name, made from the room that a destroyed slot left when there is any.
Result<std::unique_ptr<File>> FileRoot::room_for(const SlotName& slot, std::uint8_t mirror) {
  const std::filesystem::path path = path_of(kSlotPrefix, slot, mirror);
  QUIETUS_TRY_AS(const auto names, files_.list(options_.folder));
  for (const std::string& name : names) {
    const auto room = parse_name(kGonePrefix, name);
    if (!room || room->second != mirror) continue;
    QUIETUS_TRY(files_.rename(options_.folder / name, path));
    return files_.open(path, FileSystem::Open::kReadWrite);
  }
  return files_.open(path, FileSystem::Open::kCreate);
}

Result<void> FileRoot::write_mirror(File& file, const SlotAddress& address, const RootKey& key) {
  const SlotUnlock how = unlock();
  SecretBuffer content(kSlotFileSize);
  QUIETUS_TRY(content.fill([&](MutableBytes to) {
    return encode_slot(address, *how.secret, *how.parameters, key, to);
  }));
  QUIETUS_FAILPOINT("slot/before-write");
  QUIETUS_TRY(content.expose([&](ByteView from) { return file.write_at(0, from); }));
  return file.sync();
}

Result<void> FileRoot::create(const SlotName& slot, const RootKey& key) {
  if (!unlock().parameters)
    return Error(ErrorCode::kInternal, "root slot: no unlock parameters for a new slot");
  std::array<std::unique_ptr<File>, kSlotMirrors> rooms;
  for (std::uint8_t mirror = 0; mirror < kSlotMirrors; ++mirror) {
    QUIETUS_TRY_AS(rooms[mirror], room_for(slot, mirror));
    QUIETUS_FAILPOINT("slot/after-room");
  }
  // The names must be on the device before the key is: else a crash may leave the key under the
  // name of an empty room, where nobody looks for it.
  QUIETUS_TRY(files_.sync_folder(options_.folder));
  for (std::uint8_t mirror = 0; mirror < kSlotMirrors; ++mirror)
    QUIETUS_TRY(write_mirror(*rooms[mirror], {options_.vault, slot, mirror}, key));
  QUIETUS_FAILPOINT("slot/before-read-back");
  for (std::uint8_t mirror = 0; mirror < kSlotMirrors; ++mirror) {
    QUIETUS_TRY_AS(const RootKey back, read_mirror(slot, mirror));
    const bool same = key.expose([&](ByteView a) {
      return back.expose([&](ByteView b) { return equal_constant_time(a, b); });
    });
    if (!same) return Error(ErrorCode::kIo, "root slot: reads back differently");
  }
  return {};
}

// With the unlock secret the bytes of a slot are as good as the root key, so they stay guarded.
Result<SecretBuffer> FileRoot::load(const SlotName& slot, std::uint8_t mirror) {
  QUIETUS_TRY_AS(auto file,
                 files_.open(path_of(kSlotPrefix, slot, mirror), FileSystem::Open::kRead));
  QUIETUS_TRY_AS(const std::uint64_t size, file->size());
  if (size != kSlotFileSize) return Error(ErrorCode::kCorrupt, "root slot: wrong size");
  SecretBuffer content(kSlotFileSize);
  QUIETUS_TRY(content.fill([&](MutableBytes to) { return file->read_at(0, to); }));
  return content;
}

Result<RootKey> FileRoot::read_mirror(const SlotName& slot, std::uint8_t mirror) {
  QUIETUS_TRY_AS(const SecretBuffer content, load(slot, mirror));
  const SlotAddress address{options_.vault, slot, mirror};
  return content.expose([&](ByteView file) -> Result<RootKey> {
    QUIETUS_TRY_AS(RootKey key, decode_slot(address, *unlock().secret, file));
    QUIETUS_TRY_AS(const UnlockParameters parameters, decode_slot_parameters(address, file));
    const std::lock_guard lock(mutex_);
    unlock_.parameters = parameters;
    return key;
  });
}

// The secret keeps the key that it derived last; slots of one vault share their parameters.
void FileRoot::prepare_reading() {
  const auto slots = list();
  if (!slots || slots->empty()) return;
  for (std::uint8_t mirror = 0; mirror < kSlotMirrors; ++mirror) {
    const auto content = load(slots->back(), mirror);
    if (!content) continue;
    const SlotAddress address{options_.vault, slots->back(), mirror};
    const auto parameters =
        content->expose([&](ByteView file) { return decode_slot_parameters(address, file); });
    if (parameters && unlock().secret->key_for(*parameters)) return;
  }
}

Result<RootKey> FileRoot::read(const SlotName& slot) {
  // A whole mirror that does not open says more than a damaged one, and that more than none.
  const auto weight = [](ErrorCode code) {
    return code == ErrorCode::kNotFound ? 0 : code == ErrorCode::kWrongKey ? 2 : 1;
  };
  Error failure(ErrorCode::kNotFound, "root slot: not there");
  for (std::uint8_t mirror = 0; mirror < kSlotMirrors; ++mirror) {
    auto key = read_mirror(slot, mirror);
    if (key) return key;
    if (weight(key.error().code()) > weight(failure.code())) failure = std::move(key).error();
  }
  return failure;
}

Result<void> FileRoot::overwrite(const std::filesystem::path& path, std::uint64_t& size) {
  Bytes filler;
  {
    QUIETUS_TRY_AS(auto file, files_.open(path, FileSystem::Open::kReadWrite));
    QUIETUS_TRY_AS(size, file->size());
    filler.resize(size);
    random_bytes(filler);
    QUIETUS_FAILPOINT("slot/before-overwrite");
    QUIETUS_TRY(file->write_at(0, filler));
    QUIETUS_TRY(file->sync());
  }
  QUIETUS_FAILPOINT("slot/after-overwrite");
  QUIETUS_TRY_AS(auto again, files_.open(path, FileSystem::Open::kRead));
  Bytes seen(filler.size());
  QUIETUS_TRY(again->read_at(0, seen));
  if (seen != filler) return Error(ErrorCode::kIo, "root slot: the old bytes are still there");
  return {};
}

// False when there is no such copy.
Result<bool> FileRoot::destroy_mirror(const SlotName& slot, std::uint8_t mirror) {
  const std::filesystem::path path = path_of(kSlotPrefix, slot, mirror);
  const std::filesystem::path gone = path_of(kGonePrefix, slot, mirror);
  std::uint64_t size = 0;
  QUIETUS_TRY_AS(const bool there, files_.exists(path));
  if (!there) {
    // A name proves nothing: what an earlier run overwrote is overwritten again.
    QUIETUS_TRY_AS(const bool treated, files_.exists(gone));
    if (treated) QUIETUS_TRY(overwrite(gone, size));
    return treated;
  }
  QUIETUS_TRY(overwrite(path, size));
  // A torn file of another size would be no room for a whole slot.
  QUIETUS_TRY(size != kSlotFileSize ? files_.remove(path) : files_.rename(path, gone));
  return true;
}

Result<SlotDestruction> FileRoot::destroy(const SlotName& slot) {
  SlotDestruction result;
  result.slot = slot;
  for (std::uint8_t mirror = 0; mirror < kSlotMirrors; ++mirror) {
    QUIETUS_TRY_AS(const bool treated, destroy_mirror(slot, mirror));
    if (treated) ++result.mirrors;
  }
  QUIETUS_TRY(files_.sync_folder(options_.folder));
  QUIETUS_FAILPOINT("slot/after-destroy");
  // Each was overwritten and read back in this run. One that is missing may have been taken away,
  // so it counts as not destroyed.
  result.overwritten = result.read_back = result.mirrors == kSlotMirrors;
  QUIETUS_TRY_AS(const auto left, list());
  result.gone = std::find(left.begin(), left.end(), slot) == left.end();
  return result;
}

Result<std::vector<SlotName>> FileRoot::list() {
  QUIETUS_TRY_AS(const auto names, files_.list(options_.folder));
  std::set<SlotName> slots;
  for (const std::string& name : names)
    if (const auto parsed = parse_name(kSlotPrefix, name)) slots.insert(parsed->first);
  return std::vector<SlotName>(slots.begin(), slots.end());
}

Assurance FileRoot::assurance() {
  const MediumDescription medium = files_.describe(options_.folder);
  const bool known = medium.overwrites_in_place == MediumDescription::Answer::kYes &&
                     medium.local != MediumDescription::Answer::kNo;
  std::string text = "Clear, by overwriting two mirrored files in place on " + medium.file_system;
  if (!known)
    text = "unknown: it cannot be told whether overwriting works on " + medium.file_system;
  if (medium.rotational == MediumDescription::Answer::kNo)
    text += "; on flash, cells that the device has set aside may keep old bytes";
  if (options_.inside_vault)
    text += "; the slots lie inside the vault, where copies take them along";
  return {text, known};
}

std::uint32_t FileRoot::intact_mirrors(const SlotName& slot) {
  std::uint32_t intact = 0;
  for (std::uint8_t mirror = 0; mirror < kSlotMirrors; ++mirror) {
    if (read_mirror(slot, mirror)) ++intact;
  }
  return intact;
}

Result<void> FileRoot::remove_remains() {
  QUIETUS_TRY_AS(const auto names, files_.list(options_.folder));
  for (const std::string& name : names) {
    if (!parse_name(kGonePrefix, name)) continue;
    QUIETUS_TRY_AS(auto file, files_.open(options_.folder / name, FileSystem::Open::kReadWrite));
    QUIETUS_TRY(file->deallocate());
    QUIETUS_TRY(files_.remove(options_.folder / name));
  }
  return files_.sync_folder(options_.folder);
}

}  // namespace quietus
