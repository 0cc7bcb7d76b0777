# Measures of a small simulation study by the R packages rsimsum and simhelpers.
#   Rscript make_simsum.R
# Writes simsum/estimates.csv, the study's table of estimates (six decimals, so that all programs
# read the same numbers), and simsum/measures.json, what the two packages make of it.
source("json.R")
library(rsimsum)
library(simhelpers)
suppressMessages(library(dplyr))

# Log odds ratios of two groups of n by maximum likelihood and with half a success and half a
# failure more in each group (Firth's estimate of this design). Where a cell is empty the first
# has no finite estimate. The ends are uneven, to tell them from those derived from std_error.
simulate <- function(n, truth, replicates) {
  one <- function(replicate) {
    successes <- rbinom(2, n, plogis(c(-1, -1 + truth)))
    rows <- lapply(c(ml = 0, firth = 0.5), function(extra) {
      cells <- c(successes, n - successes)
      estimate <- diff(log(successes + extra) - log(n - successes + extra))
      if (any(cells + extra == 0)) return(c(NA, NA))
      c(estimate, sqrt(sum((n + 2 * extra) / ((successes + extra) * (n - successes + extra)))))
    })
    data.frame(n = n, replicate = replicate, method = names(rows), truth = truth,
               estimate = sapply(rows, `[`, 1), std_error = sapply(rows, `[`, 2), df = 2 * n - 2)
  }
  do.call(rbind, lapply(seq_len(replicates), one))
}
set.seed(20260101, kind = "Mersenne-Twister")
made <- rbind(simulate(10, 1, 400), simulate(80, 0.5, 400))
made$low <- made$estimate - 1.7 * made$std_error
made$high <- made$estimate + 2.2 * made$std_error
made$p_value <- 2 * pt(-abs(made$estimate / made$std_error), made$df)
numbers <- c("estimate", "std_error", "low", "high", "p_value")
made[numbers] <- round(made[numbers], 6)
write.csv(made, "simsum/estimates.csv", row.names = FALSE, quote = FALSE)
made <- read.csv("simsum/estimates.csv")

arguments <- list(data = made, estvarname = "estimate", se = "std_error", true = "truth",
                  methodvar = "method", ref = "ml", by = "n")
simsums <- function(...) {
  rows <- do.call(simsum, c(arguments, list(...)))$summ
  split(rows, list(rows$method, rows$n), drop = TRUE) |>
    lapply(function(part) lapply(setNames(split(part, part$stat), sort(part$stat)), function(r)
      I(c(r$est, r$mcse))))
}
pairs <- function(row, names) lapply(setNames(names, names), function(name)
  I(c(row[[name]], row[[paste0(name, "_mcse")]])))
helpers <- lapply(split(made, list(made$method, made$n), drop = TRUE), function(part) {
  truth <- part$truth[1]
  c(list(K = sum(!is.na(part$estimate))),
    pairs(calc_absolute(part, estimate, truth), c("bias", "stddev", "mse", "rmse")),
    pairs(calc_relative(part, estimate, truth), "rel_bias"),
    pairs(calc_relative_var(part, estimate, std_error^2), "rel_bias_var"),
    pairs(calc_coverage(part, low, high, truth), c("coverage", "width")),
    pairs(calc_rejection(part, p_value), "rej_rate"))
})
write_json(list(
  made_with = paste(R.version.string, "rsimsum", packageVersion("rsimsum"),
                    "simhelpers", packageVersion("simhelpers")),
  rsimsum = simsums(), rsimsum_df = simsums(df = "df"),
  rsimsum_ends = simsums(ci.limits = c("low", "high")), simhelpers = helpers
), "simsum/measures.json")
