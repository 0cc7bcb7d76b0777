# Reference numbers for the delta method, average marginal effects and the Hauck-Donner derivative.
#   Rscript make_delta.R
# Effects are differences of predicted probabilities; every derivative is a central difference of
# fourth order, so that nothing of it shares a formula with the library.
source("json.R")
library(MASS)

central <- function(f, at, j, step) {
  move <- function(k) { b <- at; b[j] <- b[j] + k * step; f(b) }
  (8 * (move(1) - move(-1)) - (move(2) - move(-2))) / (12 * step)
}

case <- function(name, X, y, trials) {
  fit <- glm.fit(X, cbind(y, trials - y), family = binomial(),
                 control = glm.control(epsilon = 1e-16, maxit = 100))
  beta <- fit$coefficients
  steps <- 5e-3 / apply(abs(X), 2, max)
  information <- function(b) {
    mu <- plogis(drop(X %*% b))
    crossprod(X, trials * mu * (1 - mu) * X)
  }
  vcov <- solve(information(beta))
  effect <- function(j) function(b) {
    at <- function(x) { Z <- X; Z[, j] <- x; plogis(drop(Z %*% b)) }
    two <- all(X[, j] %in% c(0, 1))
    h <- 5e-3 / abs(beta[j])
    rows <- if (two) at(1) - at(0) else
      (8 * (at(X[, j] + h) - at(X[, j] - h)) - (at(X[, j] + 2 * h) - at(X[, j] - 2 * h))) / (12 * h)
    sum(trials * rows) / sum(trials)
  }
  terms <- seq_len(ncol(X))[-1]
  gradient <- function(f) sapply(seq_along(beta), function(j) central(f, beta, j, steps[j]))
  std_error <- sapply(terms, function(j) { g <- gradient(effect(j)); sqrt(drop(g %*% vcov %*% g)) })
  wald <- function(j) function(b) b[j] / sqrt(solve(information(b))[j, j])
  se <- sqrt(diag(vcov))
  list(name = name, names = colnames(X), X = unname(X), y = unname(y), trials = unname(trials),
       effect = sapply(terms, function(j) effect(j)(beta)), effect_std_error = std_error,
       wald_slope = sapply(seq_along(beta), function(j) central(wald(j), beta, j, 0.01 * se[j]) * se[j]),
       made_with = paste(R.version.string, "MASS", packageVersion("MASS")))
}

births <- model.matrix(~ age + lwt + smoke + ht, birthwt)
births_case <- case("birthwt", births, birthwt$low, rep(1, nrow(birthwt)))

# Budworm moths, 20 a dose and sex, and the doses that kill half of either sex (MASS::dose.p).
worms <- data.frame(ldose = rep(0:5, 2), dead = c(1, 4, 9, 13, 18, 20, 0, 2, 6, 10, 12, 16),
                    sex = factor(rep(c("M", "F"), each = 6)))
moths <- model.matrix(~ sex + ldose, worms)
moths_case <- case("budworm", moths, worms$dead, rep(20, 12))
fit <- glm(cbind(dead, 20 - dead) ~ sex + ldose - 1, binomial, worms,
           control = glm.control(epsilon = 1e-16, maxit = 100))
doses <- lapply(1:2, function(i) dose.p(fit, cf = c(i, 3), p = 0.5))
moths_case$dose <- sapply(doses, as.numeric)
moths_case$dose_std_error <- sapply(doses, function(d) as.numeric(attr(d, "SE")))

# Hauck and Donner: a group in which nearly all succeed, and fewer and fewer fail.
groups <- cbind(`(Intercept)` = 1, group = c(0, 1))
steep <- lapply(c(30, 40, 47, 48, 49), function(k) {
  case(paste0("group ", k), groups, c(10, k), c(20, 50))[c("y", "trials", "wald_slope")]
})
write_json(births_case, "delta/birthwt.json")
write_json(moths_case, "delta/budworm.json")
write_json(list(X = unname(groups), cases = steep), "delta/groups.json")
