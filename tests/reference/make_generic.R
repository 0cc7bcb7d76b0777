# Reference numbers for log-likelihoods that are not logistic: a Poisson and a probit regression.
#   Rscript make_generic.R
# Profile-likelihood ends are roots of the exact profile: glm refitted with the coefficient held
# at b through the offset, to stationarity, and uniroot to 1e-13.
source("json.R")
library(MASS)

refit <- function(X, y, family, offset) {
  glm.fit(X, y, family = family, offset = offset,
          control = glm.control(epsilon = 1e-15, maxit = 200))
}

# The log-likelihood by its definition, not through the deviance.
loglik <- function(family, y, eta) {
  if (family$family == "poisson") sum(y * eta - exp(eta))
  else sum(pnorm(ifelse(y > 0, eta, -eta), log.p = TRUE))
}

case <- function(name, X, y, family, level = 0.95) {
  n <- nrow(X)
  full <- refit(X, y, family, rep(0, n))
  beta <- full$coefficients
  eta <- drop(X %*% beta)
  top <- loglik(family, y, eta)
  # Observed information: for the probit it is not the expected one that summary.glm reports.
  if (family$family == "poisson") w <- exp(eta)
  else {
    q <- ifelse(y > 0, 1, -1)
    mills <- q * exp(dnorm(eta, log = TRUE) - pnorm(q * eta, log.p = TRUE))
    w <- mills * (mills + eta)
  }
  vcov <- solve(crossprod(X, w * X))
  se <- sqrt(diag(vcov))
  cut <- sqrt(qchisq(level, 1))
  drop_at <- function(j, b) {
    held <- refit(X[, -j, drop = FALSE], y, family, b * X[, j])
    at <- drop(X[, -j, drop = FALSE] %*% held$coefficients) + b * X[, j]
    sqrt(max(0, 2 * (top - loglik(family, y, at)))) - cut
  }
  end <- function(j, side) {
    uniroot(function(b) drop_at(j, b), beta[j] + side * se[j] * c(0.5, 4), tol = 1e-14)$root
  }
  p <- ncol(X)
  list(name = name, names = colnames(X), X = unname(X), y = y, coef = unname(beta), std_error = unname(se),
       loglik = top, level = level,
       lower = sapply(seq_len(p), end, side = -1), upper = sapply(seq_len(p), end, side = 1),
       made_with = paste(R.version.string, "MASS", packageVersion("MASS")))
}

breaks <- model.matrix(~ wool + tension, warpbreaks)
births <- model.matrix(~ age + lwt + smoke + ht, birthwt)
write_json(case("poisson_warpbreaks", breaks, warpbreaks$breaks, poisson()), "generic/poisson_warpbreaks.json")
write_json(case("probit_birthwt", births, birthwt$low, binomial("probit")), "generic/probit_birthwt.json")
