// How requests are stored.
#include <algorithm>
#include <tuple>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "base/text_encoding.hpp"
#include "evidence/ssh_signature.hpp"
#include "governance/requests.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus {
namespace {

constexpr std::uint8_t kRequestVersion = 1;
constexpr char kRequestTable = 'm';
constexpr char kContactTable = 'k';
constexpr std::size_t kMaxCode = 64;

UnixMillis read_time(ByteReader& in) {
  return static_cast<UnixMillis>(in.u64());
}

void write_time(ByteWriter& out, UnixMillis time) {
  out.u64(static_cast<std::uint64_t>(time));
}

Code read_code(ByteReader& in) {
  const auto code = Code::parse(in.text(kMaxCode));
  if (!code) in.fail();
  return code.value_or(Code("none"));
}

void write(ByteWriter& out, const Verification& row) {
  out.text(row.method.text()).raw(row.evidence).raw(row.by);
  write_time(out, row.time);
}
Verification read_verification(ByteReader& in) {
  Verification row;
  row.method = read_code(in);
  row.evidence = in.array<sizeof(Sha256)>();
  row.by = in.array<sizeof(OperatorId)>();
  row.time = read_time(in);
  return row;
}

void write(ByteWriter& out, const Approval& row) {
  out.raw(row.who).u8(row.roles).raw(row.key);
  write_time(out, row.time);
  out.u8(row.touched ? 1 : 0).u8(row.verified ? 1 : 0);
}
Approval read_approval(ByteReader& in) {
  Approval row;
  row.who = in.array<sizeof(OperatorId)>();
  row.roles = in.u8();
  row.key = in.array<sizeof(Sha256)>();
  row.time = read_time(in);
  row.touched = in.flag();
  row.verified = in.flag();
  return row;
}

void write(ByteWriter& out, const PlanRow& row) {
  out.raw(sha256(as_bytes(row.text))).raw(row.covers);
  write_time(out, row.expires);
  out.u16(static_cast<std::uint16_t>(row.approvals.size()));
  for (const Approval& approval : row.approvals) write(out, approval);
}
PlanRow read_plan(ByteReader& in, Sha256& text_hash) {
  PlanRow row;
  text_hash = in.array<sizeof(Sha256)>();
  row.covers = in.array<sizeof(Sha256)>();
  row.expires = read_time(in);
  const std::uint16_t approvals = in.u16();
  if (approvals > kMaxApprovals) in.fail();
  for (std::uint16_t i = 0; i < approvals && !in.failed(); ++i)
    row.approvals.push_back(read_approval(in));
  return row;
}

Bytes encode(const RequestRow& row) {
  ByteWriter out;
  out.u8(kRequestVersion)
      .u8(static_cast<std::uint8_t>(row.kind))
      .u8(static_cast<std::uint8_t>(row.state))
      .u16(static_cast<std::uint16_t>(row.scopes.size()));
  for (const ScopeId scope : row.scopes) out.u64(scope);
  out.text(row.reason).text(row.change).raw(row.opened_by);
  for (const UnixMillis time : {row.opened, row.deadline, row.ended}) write_time(out, time);
  out.text(row.extended).raw(row.erasure).u8(row.verification ? 1 : 0).u8(row.plan ? 1 : 0);
  if (row.verification) write(out, *row.verification);
  if (row.plan) write(out, *row.plan);
  return out.take();
}

// Without the text of the plan.
struct StoredRequest {
  RequestRow row;
  Sha256 plan_text{};
};
std::optional<StoredRequest> decode_request(ByteView content) {
  ByteReader in(content);
  StoredRequest stored;
  RequestRow& row = stored.row;
  const std::uint8_t version = in.u8();
  row.kind = static_cast<RequestKind>(in.u8());
  row.state = static_cast<RequestState>(in.u8());
  const std::uint16_t scopes = in.u16();
  if (scopes > kMaxRequestScopes) in.fail();
  for (std::uint16_t i = 0; i < scopes && !in.failed(); ++i) row.scopes.push_back(in.u64());
  row.reason = in.text(kMaxCode);
  row.change = in.text(kMaxChangeText);
  row.opened_by = in.array<sizeof(OperatorId)>();
  row.opened = read_time(in);
  row.deadline = read_time(in);
  row.ended = read_time(in);
  row.extended = in.text(kMaxCode);
  row.erasure = in.array<sizeof(ErasureId)>();
  const bool verification = in.flag();
  const bool plan = in.flag();
  if (verification) row.verification = read_verification(in);
  if (plan) row.plan = read_plan(in, stored.plan_text);
  const bool known = row.kind >= RequestKind::kTermination && row.kind <= RequestKind::kChange &&
                     row.state >= RequestState::kOpen && row.state <= RequestState::kCancelled;
  return in.done() && version == kRequestVersion && known ? std::optional(std::move(stored))
                                                          : std::nullopt;
}

}  // namespace

namespace rows {

namespace {
constexpr std::size_t kMaxCorrectedName = 1024;

Bytes asked_for_key(const RequestRow& of) {
  return ByteWriter().raw(row_key(kContactTable, of.scopes.front())).raw(of.id).take();
}

Bytes plan_text_key(const RequestId& id) {
  return ByteWriter().raw(row_key(kRequestTable, id)).u8(0).take();
}

// A row of its own, because a row is small; which text it is, the request's row says.
bool add_plan_text(ControlReader& reader, const RowSeal& seal, StoredRequest& stored) {
  if (!stored.row.plan) return true;
  const auto text = get_sealed(reader, seal, plan_text_key(stored.row.id));
  if (!text || !*text || sha256(**text) != stored.plan_text) return false;
  stored.row.plan->text = as_text(**text);
  return true;
}
}  // namespace

Result<std::optional<RequestRow>> request(ControlReader& reader, const RowSeal& seal,
                                          const RequestId& id) {
  QUIETUS_TRY_AS(auto stored, get_row(reader, seal, row_key(kRequestTable, id), decode_request));
  if (!stored) return std::optional<RequestRow>();
  stored->row.id = id;
  if (!add_plan_text(reader, seal, *stored)) return damaged(kRequestTable);
  return std::optional(std::move(stored->row));
}

Result<void> put_request(ControlWriter& writer, const RowSeal& seal, const RequestRow& row) {
  QUIETUS_TRY(put_sealed(writer, seal, row_key(kRequestTable, row.id), encode(row)));
  if (!row.plan) return {};
  return put_sealed(writer, seal, plan_text_key(row.id), as_bytes(row.plan->text));
}

Result<std::vector<RequestRow>> requests(ControlReader& reader, const RowSeal& seal) {
  std::vector<RequestRow> all;
  const Bytes table{static_cast<std::uint8_t>(kRequestTable)};
  QUIETUS_TRY(reader.scan(table, {}, [&](ByteView key, ByteView value) -> Result<bool> {
    if (key.size() != 1 + sizeof(RequestId)) return true;  // a plan or a statement
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    auto stored = content ? decode_request(*content) : std::nullopt;
    if (!stored) return true;
    stored->row.id = ByteReader(key.subspan(1)).array<sizeof(RequestId)>();
    if (add_plan_text(reader, seal, *stored)) all.push_back(std::move(stored->row));
    return true;
  }));
  std::ranges::sort(all, {}, [](const RequestRow& row) { return std::tuple(row.opened, row.id); });
  return all;
}

Result<void> add_statement(ControlWriter& writer, const RowSeal& seal, const RequestId& id,
                           const SignedStatement& statement) {
  QUIETUS_TRY_AS(const auto before, statements_of(writer, seal, id));
  ByteWriter content;
  content.u8(kRequestVersion).raw(statement.who).text(statement.text).text(statement.signature);
  return put_sealed(writer, seal,
                    ByteWriter()
                        .raw(row_key(kRequestTable, id))
                        .u16(static_cast<std::uint16_t>(before.size()))
                        .take(),
                    content.take());
}

Result<std::vector<SignedStatement>> statements_of(ControlReader& reader, const RowSeal& seal,
                                                   const RequestId& id) {
  std::vector<SignedStatement> found;
  const Bytes prefix = row_key(kRequestTable, id);
  QUIETUS_TRY(reader.scan(prefix, {}, [&](ByteView key, ByteView value) -> Result<bool> {
    if (key.size() != prefix.size() + 2) return true;
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    if (!content) return damaged(kRequestTable);
    ByteReader in(*content);
    SignedStatement one;
    const std::uint8_t version = in.u8();
    one.who = in.array<sizeof(OperatorId)>();
    one.text = in.text(kMaxPlanText);
    one.signature = in.text(kMaxSshSignatureFile);
    if (!in.done() || version != kRequestVersion) return damaged(kRequestTable);
    found.push_back(std::move(one));
    return true;
  }));
  return found;
}

Result<void> put_asked_for(ControlWriter& writer, const RowSeal& scope_seal, const RequestRow& of,
                           const AskedFor& row) {
  ByteWriter content;
  content.u8(kRequestVersion).text(row.contact).u16(static_cast<std::uint16_t>(row.records.size()));
  for (const std::string& name : row.records) content.text(name);
  return put_sealed(writer, scope_seal, asked_for_key(of), content.take());
}

std::optional<AskedFor> asked_for(ControlReader& reader, const RowSeal& scope_seal,
                                  const RequestRow& of) {
  const auto content = get_sealed(reader, scope_seal, asked_for_key(of));
  if (!content || !*content) return std::nullopt;
  ByteReader in(**content);
  AskedFor row;
  const std::uint8_t version = in.u8();
  row.contact = in.text(kMaxContact);
  const std::uint16_t records = in.u16();
  if (records > kMaxCorrected) in.fail();
  for (std::uint16_t i = 0; i < records && !in.failed(); ++i)
    row.records.emplace_back(in.text(kMaxCorrectedName));
  return in.done() && version == kRequestVersion ? std::optional(std::move(row)) : std::nullopt;
}

Result<void> remove_asked_for(ControlWriter& writer, const RequestRow& of) {
  return of.scopes.empty() ? Result<void>() : writer.remove(asked_for_key(of));
}

}  // namespace rows
}  // namespace quietus
