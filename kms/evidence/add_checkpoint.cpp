#include "evidence/add_checkpoint.hpp"

#include "evidence/hash_lines.hpp"
#include "evidence/text_lines.hpp"

namespace quietus {
namespace {

constexpr std::string_view kOld = "old ";

}  // namespace

std::string format_add_checkpoint(const AddCheckpoint& request) {
  std::string text(kOld);
  text.append(std::to_string(request.old_size)).append("\n");
  return text.append(format_hash_lines(request.proof)).append("\n").append(request.checkpoint);
}

Result<AddCheckpoint> parse_add_checkpoint(std::string_view text) {
  LineReader lines(text);
  const auto first = lines.next();
  const auto size =
      first && first->starts_with(kOld) ? parse_decimal(first->substr(kOld.size())) : std::nullopt;
  if (!size || *size > kMaxTreeSize)
    return Error(ErrorCode::kUnverified, "request to a witness does not begin with an old size");
  AddCheckpoint request;
  request.old_size = *size;
  QUIETUS_TRY_AS(request.proof, read_hash_lines(lines));
  request.checkpoint = lines.rest();
  return request;
}

}  // namespace quietus
