# JSON with 17 significant digits, which give a double back exactly; jsonlite stops at 15.

json_number <- function(x) {
  ifelse(is.na(x), "null", ifelse(is.infinite(x), ifelse(x > 0, '"Inf"', '"-Inf"'),
                                  sprintf("%.17g", x)))
}

json_text <- function(x) paste0('"', gsub('(["\\\\])', "\\\\\\1", x), '"')

# A vector of length 1 is written as a scalar unless it is wrapped in I(). Data vectors of one
# element do not occur: every design has at least two columns and two rows.
json_value <- function(x, indent) {
  inner <- paste0(indent, "  ")
  block <- function(open, items, close) {
    paste0(open, "\n", paste0(inner, items, collapse = ",\n"), "\n", indent, close)
  }
  if (is.null(x)) return("null")
  if (is.list(x)) {
    values <- vapply(x, json_value, "", inner)
    if (is.null(names(x))) return(block("[", values, "]"))
    return(block("{", paste0(json_text(names(x)), ": ", values), "}"))
  }
  items <- if (is.character(x)) json_text(x) else json_number(x)
  if (is.matrix(x)) {
    rows <- apply(matrix(items, nrow(x)), 1, paste, collapse = ", ")
    return(block("[", paste0("[", rows, "]"), "]"))
  }
  if (length(items) == 1 && !inherits(x, "AsIs")) return(items)
  paste0("[", paste(items, collapse = ", "), "]")
}

write_json <- function(record, path) writeLines(json_value(record, ""), path)
