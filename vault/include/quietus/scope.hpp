// A scope: a tenant, a data class below it, a data subject below that; any depth. It owns one key,
// and it is what can be erased. Through its handle records are read and written.
#pragma once

#include <quietus/export.h>
#include <quietus/result.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quietus {

// Names the state of a record: changes with every write, never repeats.
using Version = std::array<std::uint8_t, 24>;

// Stands for a value where the value must not be seen.
using Pseudonym = std::array<std::uint8_t, 16>;

// What restricted data may still be used for (GDPR Art. 18(2)).
enum class RestrictedUse { kConsent, kLegalClaims, kRightsOfOthers, kPublicInterest };
QUIETUS_EXPORT std::string_view name_of(
    RestrictedUse use) noexcept;  // "consent", "legal-claims", …

// A record without its content.
struct RecordInfo {
  std::string name;
  std::uint64_t size_bytes = 0;
  std::int64_t modified_unix_ms = 0;
  std::string content_type;  // empty when none was given
  Version version{};
};

// What is noted beside a record, and under which condition it is written.
struct PutOptions {
  std::string content_type;  // at most 255 bytes
  // Compare-and-set: write only if the record is there with this version now (kConflict otherwise).
  std::optional<Version> expected;
  bool must_be_new = false;  // write only if there is no such record (kConflict otherwise)
};

// Callbacks run on the thread that calls, and may call the vault. An error of theirs ends the call
// and is returned as it is. One that is empty is kInvalidArgument.

// Delivers the next bytes of a large object into the buffer; returns how many, 0 at the end.
using ByteSource = std::function<Result<std::size_t>(MutableBytes)>;
// Receives the next bytes; the view is valid for the call.
using ByteSink = std::function<Result<void>(ByteView)>;

// Several writes that happen together or not at all, within one scope, in the order in which they
// were added; the last one of a name counts. Names and values are copied in.
class QUIETUS_EXPORT Batch {
 public:
  Batch& put(std::string_view name, ByteView value, PutOptions options = {});  // adds one
  Batch& remove(std::string_view name);                         // adds one that is removed
  std::size_t size() const noexcept { return writes_.size(); }  // how many

  // One of them.
  struct Write {
    std::string name;
    std::optional<Bytes> value;  // none: remove
    PutOptions options;
  };
  const std::vector<Write>& writes() const noexcept { return writes_; }  // so far

 private:
  std::vector<Write> writes_;
};

// A handle. Cheap to copy, thread-safe, valid as long as its vault is open (kUnavailable after),
// also when the Vault object is moved.
//
// Record names are 1 to 1,024 bytes of UTF-8 without control characters; they may hold '/' between
// non-empty elements other than "." and "..". kInvalidArgument otherwise.
//
// Errors of every call: kErased once the scope, an ancestor or a source was erased; kRestricted
// while one of them is suspended, kRefused while its key is in another state that does not allow
// it; kHeld when a legal hold keeps a record from being replaced or removed; kCorrupt when stored
// bytes do not authenticate; kUnavailable, kIo.
class QUIETUS_EXPORT Scope {
 public:
  // Stores a record of up to 2^32 bytes; replaces one of the same name. Durable when it returns.
  // kFull: nothing was changed. Values above 256 KiB are stored as large objects.
  Result<Version> put(std::string_view name, ByteView value, const PutOptions& options = {});

  // Stores a large object of any size from a source, in constant memory. The record appears, whole,
  // when it returns; nothing is visible before, and nothing stays after an error. kBusy: the
  // scope's key was replaced meanwhile; begin again.
  Result<Version> put_stream(std::string_view name, const ByteSource& source,
                             const PutOptions& options = {});

  // The content; no value when there is no such record (which is not an error).
  Result<std::optional<Bytes>> get(std::string_view name) const;

  // As get, into the caller's buffer: the number of bytes written. kInvalidArgument when the buffer
  // is too small (the buffer is untouched). On any other error the buffer is zero.
  Result<std::optional<std::size_t>> get_into(std::string_view name, MutableBytes out) const;

  // Hands the content to `sink` piece by piece, each piece authenticated before it is handed out,
  // in constant memory; false when there is no such record. kChanged when the object is replaced
  // meanwhile: what the sink got is then a truncated old version.
  Result<bool> get_stream(std::string_view name, const ByteSink& sink) const;

  // Size, times and version without the content.
  Result<std::optional<RecordInfo>> stat(std::string_view name) const;

  // Removes one record; false when there was none. Durable when it returns. This frees the name;
  // the old content stays decryptable for who holds the scope's key and an old copy, until the
  // scope's key is renewed or erased.
  Result<bool> remove(std::string_view name, std::optional<Version> expected = {});

  // Applies all or nothing. Durable when it returns.
  Result<void> write(const Batch& batch);

  // Visits the records whose name starts with `prefix`, in no particular order, on one snapshot per
  // page of rows; `visit` returns false to stop. Costs O(records in the scope).
  Result<void> list(std::string_view prefix,
                    const std::function<Result<bool>(const RecordInfo&)>& visit) const;

  // Envelope encryption, for data that is kept elsewhere: in a queue, a bucket, another database.
  // The token opens as long as the scope lives, whatever is rotated or purged; when the scope is
  // erased, every copy of it is unrecoverable wherever it lies. It names vault and scope by random
  // ids, and is longer than the data by 108 bytes and 16 for each whole 16 KiB.
  Result<Bytes> seal(ByteView data) const;
  // kInvalidArgument: these bytes are no token; kRefused: of another vault or scope; kCorrupt.
  Result<Bytes> open(ByteView token) const;
  // The same for any size, in constant memory. A part of the data is authenticated before it is
  // handed out, but only success says that it was all: what the sink got before an error is to be
  // thrown away.
  Result<void> seal_stream(const ByteSource& data, const ByteSink& token) const;
  // Errors as open().
  Result<void> open_stream(const ByteSource& token, const ByteSink& data) const;

  // The same for the same value, for ever, whatever is rotated or purged; different in every scope.
  // Keyed BLAKE2b-128 (RFC 7693): without the scope's key it cannot be linked to the value, and
  // with it guesses can be tested.
  Result<Pseudonym> pseudonym(ByteView value) const;

  // 63 random bits; what logs and certificates call this scope.
  std::uint64_t id() const noexcept;

  struct Impl;
  explicit Scope(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  const Impl& impl() const noexcept { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

}  // namespace quietus
