#include "date_option.hpp"

#include <charconv>
#include <chrono>

namespace quietus::cli {
namespace {

// Exactly so many digits; -1 for anything else.
int digits(std::string_view text) {
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && text.front() != '-' ? value : -1;
}

}  // namespace

Result<std::int64_t> parse_date(std::string_view text) {
  using namespace std::chrono;
  const bool form = text.size() == 10 && text[4] == '-' && text[7] == '-';
  const int parts[] = {form ? digits(text.substr(0, 4)) : -1, form ? digits(text.substr(5, 2)) : -1,
                       form ? digits(text.substr(8, 2)) : -1};
  const year_month_day date{year(parts[0]), month(static_cast<unsigned>(parts[1])),
                            day(static_cast<unsigned>(parts[2]))};
  if (parts[0] < 1970 || parts[1] < 1 || parts[2] < 1 || !date.ok())
    return Error(ErrorCode::kInvalidArgument, "a date is YYYY-MM-DD, for example 2027-03-31");
  return duration_cast<milliseconds>(sys_days(date).time_since_epoch()).count();
}

}  // namespace quietus::cli
