# Bootstrap references from R's boot: replicates, interval ends, influence values.
#
#   Rscript make_bootstrap.R        writes bootstrap/birthwt.json
#
# Weights that any program can draw again: replicate r draws in its place i the row
# floor(n·u) + 1, u = frac((r·n + i)·φ + ((r·n + i)² mod 1021)/1021), φ the golden section. Nothing
# random is needed, only counts that sum to n.

library(boot)
source("json.R")

births <- MASS::birthwt
formula <- low ~ age + lwt + smoke
n <- nrow(births)
R <- 199

draw <- function(r) {
  k <- (r - 1) * n + seq_len(n) - 1
  u <- (k * 0.6180339887498949 + (k * k) %% 1021 / 1021) %% 1
  tabulate(floor(n * u) + 1, n)
}
counts <- t(vapply(seq_len(R), draw, numeric(n)))
stopifnot(all(rowSums(counts) == n))

fit <- function(w) {
  births$w <- w
  glm(formula, binomial, births, weights = w, epsilon = 1e-14, maxit = 50)
}
# vcov() has the weights of the last step but one: its eighth digit is not the estimate's.
X <- model.matrix(formula, births)
covariance <- function(f, w) solve(crossprod(X, X * w * fitted(f) * (1 - fitted(f))))
fits <- lapply(seq_len(R), function(r) fit(counts[r, ]))
t <- t(vapply(fits, coef, numeric(4)))
var_t <- t(vapply(seq_len(R), function(r) diag(covariance(fits[[r]], counts[r, ])), numeric(4)))
whole <- fit(rep(1, n))
t0 <- coef(whole)
var_t0 <- diag(covariance(whole, 1))

# boot.ci wants what boot() returns; replicates, variances and influence values are handed to it.
shell <- boot(births, function(data, w) coef(fit(w * n)), R = R, stype = "w")
influence <- vapply(1:4, function(j) empinf(data = births, statistic = function(data, w)
  coef(fit(w * n))[[j]], stype = "w", type = "inf", eps = 1e-5), numeric(n))
# The closed form, to separate the numerical derivative of empinf from the formulas.
exact <- n * (X * (births$low - fitted(whole))) %*% covariance(whole, 1)

ends <- lapply(c(0.9, 0.95), function(level) lapply(1:4, function(j) {
  found <- boot.ci(shell, conf = level, type = c("basic", "perc", "stud", "bca"),
                   t0 = t0[[j]], t = t[, j], var.t0 = var_t0[[j]], var.t = var_t[, j],
                   L = exact[, j])
  # Given a variance boot.ci takes it for the normal interval too, instead of the replicates'.
  normal <- boot.ci(shell, conf = level, type = "norm", t0 = t0[[j]], t = t[, j])
  list(normal = normal$normal[1, 2:3], basic = found$basic[1, 4:5],
       percentile = found$percent[1, 4:5], studentized = found$student[1, 4:5],
       bca = found$bca[1, 4:5])
}))
names(ends) <- c("0.9", "0.95")

dir.create("bootstrap", showWarnings = FALSE)
write_json(list(
  source = paste("R", getRversion(), "boot", packageVersion("boot")),
  n_replicates = R, t = unname(t), variance = unname(var_t),
  influence = unname(influence), ends = ends
), file.path("bootstrap", "birthwt.json"))
