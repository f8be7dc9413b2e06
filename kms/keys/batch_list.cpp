#include "keys/batch_list.hpp"

#include <algorithm>

#include "base/failpoint.hpp"
#include "evidence/merkle_proof.hpp"

namespace quietus {
namespace {

// The hash of leaves, or of the blocks that a larger tree is made of.
Hash root_of(std::span<const Hash> hashes) {
  GrowingTree tree;
  for (const Hash& hash : hashes) {
    const Result<void> pushed = tree.push(hash, [](NodeId, const Hash&) { return Result<void>(); });
    static_cast<void>(pushed);
  }
  return tree.root();
}

std::vector<Hash> hashes_of(const ErasureId& batch, const std::vector<BatchStatement>& rows) {
  std::vector<Hash> hashes;
  hashes.reserve(rows.size());
  for (const BatchStatement& row : rows) hashes.push_back(statement_hash(batch, row));
  return hashes;
}

}  // namespace

Hash statement_hash(const ErasureId& batch, const BatchStatement& row) {
  const Code reason = Code::parse(row.reason).value_or(Code("other"));
  return leaf_hash(as_bytes(statement_text({row.id, batch, reason}, row.target, row.unreadable)));
}

Result<BatchHead> seal_list(ControlStore& control, const RowSeal& seal, const ErasureId& batch) {
  BatchHead head;
  std::vector<Hash> blocks;
  ScopeId from = 0;
  bool more = true;
  while (more) {
    BatchHead block_head;
    BatchBlock block;
    ScopeId next = from;
    QUIETUS_TRY(control.update(WriteClass::kOrdinary, [&](ControlWriter& writer) -> Result<void> {
      block_head = {};
      QUIETUS_TRY_AS(const auto found,
                     rows::statements(writer, seal, batch, from, kStatementsInBlock));
      more = found.size() == kStatementsInBlock;
      if (found.empty()) return rows::remove_blocks(writer, batch, blocks.size());
      block = {found.front().target.scope, root_of(hashes_of(batch, found))};
      block_head.scopes = found.size();
      for (const BatchStatement& row : found) block_head.keys += row.target.keys.size();
      next = found.back().target.scope + 1;
      QUIETUS_TRY(rows::put_block(writer, seal, batch, blocks.size(), block));
      return more ? Result<void>() : rows::remove_blocks(writer, batch, blocks.size() + 1);
    }));
    QUIETUS_FAILPOINT("batch/after-block");
    from = next;
    head.scopes += block_head.scopes;
    head.keys += block_head.keys;
    if (block_head.scopes > 0) blocks.push_back(block.hash);
  }
  head.statements = root_of(blocks);
  return head;
}

Result<StatementProof> prove_statement(ControlReader& reader, const RowSeal& seal,
                                       const ErasureId& batch, const BatchHead& head,
                                       ScopeId scope) {
  QUIETUS_TRY_AS(const auto blocks, rows::blocks(reader, seal, batch));
  const auto after =
      std::upper_bound(blocks.begin(), blocks.end(), scope,
                       [](ScopeId id, const BatchBlock& block) { return id < block.first; });
  if (after == blocks.begin()) return Error(ErrorCode::kNotFound, "the scope is not of that batch");
  const auto block = static_cast<std::uint64_t>(after - blocks.begin()) - 1;
  QUIETUS_TRY_AS(const auto listed,
                 rows::statements(reader, seal, batch, blocks[block].first, kStatementsInBlock));
  const auto row = std::find_if(listed.begin(), listed.end(), [&](const BatchStatement& found) {
    return found.target.scope == scope;
  });
  if (row == listed.end()) return Error(ErrorCode::kNotFound, "the scope is not of that batch");
  const std::vector<Hash> leaves = hashes_of(batch, listed);
  std::vector<Hash> above;
  above.reserve(blocks.size());
  for (const BatchBlock& each : blocks) above.push_back(each.hash);
  const std::uint64_t first = block * kStatementsInBlock;
  StatementProof proof;
  proof.index = first + static_cast<std::uint64_t>(row - listed.begin());
  if (proof.index >= head.scopes || blocks.size() != (head.scopes + 255) / kStatementsInBlock)
    return Error(ErrorCode::kCorrupt, "batch: its list is not the one that was sealed");
  for (const LeafRange& range : inclusion_path(proof.index, head.scopes)) {
    const bool inside = range.begin >= first && range.end <= first + kStatementsInBlock;
    if (inside && range.end - first <= leaves.size()) {
      proof.hashes.push_back(root_of(std::span(leaves).subspan(range.begin - first, range.size())));
    } else {
      const std::uint64_t begin = range.begin / kStatementsInBlock;
      const std::uint64_t end = (range.end + kStatementsInBlock - 1) / kStatementsInBlock;
      proof.hashes.push_back(root_of(std::span(above).subspan(begin, end - begin)));
    }
  }
  if (!verify_inclusion(statement_hash(batch, *row), proof.index, head.scopes, proof.hashes,
                        head.statements))
    return Error(ErrorCode::kCorrupt, "batch: its list is not the one that was sealed");
  return proof;
}

}  // namespace quietus
