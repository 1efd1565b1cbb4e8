# literal(FILE TEXT SIZE): the content of FILE as C++ string literals in TEXT, its octets in SIZE.
function(literal file text_out size_out)
  file(READ ${file} hex HEX)
  string(LENGTH "${hex}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "(..)" "\\\\x\\1" text "${hex}")
  # Lines of 32 octets, each a literal of its own: the compiler joins them.
  string(REPEAT "...." 32 line)
  string(REGEX REPLACE "(${line})" "\\1\"\n    \"" text "${text}")
  set(${text_out} "\"${text}\"" PARENT_SCOPE)
  set(${size_out} ${size} PARENT_SCOPE)
endfunction()
