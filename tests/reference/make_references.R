# Reference numbers for logistic regression, one JSON file per data set.
#
#   Rscript make_references.R             (in this folder; writes the JSON files beside it)
#
# Needs R 4.1.0 or later with MASS, boot, brglm2 and survival. cases.R lists the data sets, json.R
# writes them, README.md says what the JSON fields mean. Nothing is taken from glm() but a start
# and a cross-check: every number comes from a Newton iteration run to stationarity, every interval
# end from a root of the exact profile.
#
# Conditioning. All work runs in the coordinates gamma = R beta of X = QR, where the columns are
# orthonormal. Householder QR has a small error relative to each column, so raw units (a column
# near 1.02 with spread 0.007 beside one in the hundreds) cost no digits. A linear hypothesis
# C'beta = b becomes D'gamma = b with D = R'^-1 C, and the restricted model is
# gamma = D (D'D)^-1 b + N t, N an orthonormal basis of the complement of D.

source("json.R")

# ---- likelihood -------------------------------------------------------------------------------

softplus <- function(x) pmax(x, 0) + log1p(exp(-abs(x)))

# Row terms of the log-likelihood without binomial coefficient, y eta - m log(1 + exp(eta)), split
# into two terms of one sign; a factor of 0 wins over an infinite eta.
row_loglik <- function(case, eta) {
  failures <- case$trials - case$y
  misfit <- ifelse(case$y > 0, case$y * softplus(-eta), 0) +
    ifelse(failures > 0, failures * softplus(eta), 0)
  -case$weights * misfit
}

residual <- function(case, eta) {
  # y - m mu without cancellation: y (1 - mu) - (m - y) mu
  case$weights * (case$y * plogis(-eta) - (case$trials - case$y) * plogis(eta))
}

root_weights <- function(case, eta) {
  sqrt(case$weights * case$trials * plogis(eta) * plogis(-eta))
}

deviance_of <- function(case, eta) {
  part <- function(count, mean) ifelse(count > 0, count * log(count / mean), 0)
  mu <- case$trials * plogis(eta)
  failures <- case$trials - case$y
  2 * sum(case$weights * (part(case$y, mu) + part(failures, case$trials * plogis(-eta))))
}

# ---- fits -------------------------------------------------------------------------------------

# tol = 0 keeps R from calling a nearly collinear column aliased and from moving it.
plain_qr <- function(matrix) {
  factor <- qr(matrix, tol = 0)
  stopifnot(identical(as.integer(factor$pivot), seq_len(ncol(matrix))))
  factor
}

whiten <- function(case) {
  factor <- plain_qr(case$X)
  c(case, list(Q = qr.Q(factor), R = qr.R(factor)))
}

# Maximum of the likelihood over t with eta = fixed + Z t: damped Newton, run until the decrement
# U' I^-1 U is at rounding level and no longer falls.
maximize <- function(case, Z, fixed, start = numeric(ncol(Z))) {
  t <- start
  eta <- drop(fixed + Z %*% t)
  decrement <- Inf
  for (iteration in 1:200) {
    factor <- qr.R(plain_qr(root_weights(case, eta) * Z))
    half <- forwardsolve(t(factor), crossprod(Z, residual(case, eta)))
    previous <- decrement
    decrement <- sum(half^2)
    if (decrement < 1e-22 && decrement >= previous / 4) break
    step <- drop(backsolve(factor, half))
    size <- 1
    gain <- function(size) {
      sum(row_loglik(case, drop(fixed + Z %*% (t + size * step))) - row_loglik(case, eta))
    }
    while (decrement > 1e-12 && gain(size) < 0) size <- size / 2
    t <- t + size * step
    eta <- drop(fixed + Z %*% t)
  }
  if (decrement > 1e-22) stop(sprintf("%s: decrement %.1e is left", case$name, decrement))
  list(t = t, eta = eta, decrement = decrement)
}

full_fit <- function(case, start = NULL) {
  begin <- if (is.null(start)) numeric(ncol(case$X)) else drop(case$R %*% start)
  fit <- maximize(case, case$Q, case$offset, begin)
  fit$coef <- backsolve(case$R, fit$t)
  factor <- qr.R(plain_qr(root_weights(case, fit$eta) * case$Q))
  # vcov = K K' with K = R^-1 S^-1, S'S the information of gamma
  fit$root_vcov <- backsolve(case$R, backsolve(factor, diag(ncol(case$X))))
  fit$vcov <- tcrossprod(fit$root_vcov)
  fit$std_error <- sqrt(rowSums(fit$root_vcov^2))
  fit
}

# The fit under C'beta = b; C is p x q.
restricted_fit <- function(case, fit, C, b) {
  D <- forwardsolve(t(case$R), C)
  factor <- plain_qr(D)
  q <- ncol(D)
  basis <- qr.Q(factor, complete = TRUE)
  span <- basis[, seq_len(q), drop = FALSE]
  rest <- basis[, -seq_len(q), drop = FALSE]
  centre <- drop(span %*% forwardsolve(t(qr.R(factor)), b))
  fixed <- case$offset + drop(case$Q %*% centre)
  if (ncol(rest) == 0) return(list(eta = fixed))
  maximize(case, case$Q %*% rest, fixed, drop(crossprod(rest, fit$t)))
}

# ---- tests ------------------------------------------------------------------------------------

# `top` holds the row terms at the maximum, so that equal rows cancel before the sum.
lr_statistic <- function(case, top, eta) 2 * sum(top - row_loglik(case, eta))

score_statistic <- function(case, eta) {
  factor <- qr.R(plain_qr(root_weights(case, eta) * case$Q))
  sum(forwardsolve(t(factor), crossprod(case$Q, residual(case, eta)))^2)
}

wald_statistic <- function(fit, C, b) {
  # C' vcov C = A'A with A = root_vcov' C
  factor <- qr.R(plain_qr(crossprod(fit$root_vcov, C)))
  sum(forwardsolve(t(factor), drop(crossprod(C, fit$coef)) - b)^2)
}

# ---- the two halves of a separated problem ----------------------------------------------------

# A coefficient at +-Inf takes some rows to probability 0 or 1. What is left of the likelihood is
# that of the other rows without the column: its maximum is the supremum, and the profile of every
# other coefficient is its profile. The separated coefficient itself is profiled on all rows, which
# for a finite value of it have a finite maximum.
split_case <- function(case) {
  whole <- whiten(case)
  if (is.null(case$separated)) {
    fit <- full_fit(whole, case$start)
    return(list(whole = whole, finite = whole, fit = fit, keep = seq_along(case$names),
                top = row_loglik(whole, fit$eta)))
  }
  column <- match(case$separated, case$names)
  rows <- case$X[, column] == 0
  stopifnot(all(case$y[!rows] == case$trials[!rows]))
  part <- case
  part$X <- case$X[rows, -column, drop = FALSE]
  for (field in c("y", "trials", "weights", "offset")) part[[field]] <- case[[field]][rows]
  part <- whiten(part)
  fit <- full_fit(part)
  eta <- rep(Inf, nrow(case$X))
  eta[rows] <- fit$eta
  keep <- setdiff(seq_along(case$names), column)
  list(whole = whole, finite = part, fit = fit, keep = keep, top = row_loglik(whole, eta),
       top_finite = row_loglik(part, fit$eta), column = column, eta = eta)
}

# The profile of coefficient j: LR and score statistics as functions of its value.
profile_of <- function(parts, j) {
  separated <- !j %in% parts$keep
  case <- if (separated) parts$whole else parts$finite
  top <- if (is.null(parts$top_finite) || separated) parts$top else parts$top_finite
  at <- if (separated) j else match(j, parts$keep)
  C <- diag(ncol(case$X))[, at, drop = FALSE]
  centre <- if (separated) list(t = numeric(ncol(case$X))) else parts$fit
  restricted <- function(b) restricted_fit(case, centre, C, b)$eta
  list(
    lr = function(b) lr_statistic(case, top, restricted(b)),
    score = function(b) score_statistic(case, restricted(b)),
    # Wald's statistic needs a finite estimate of every coefficient
    wald = function(b) if (is.null(parts$column)) wald_statistic(parts$fit, C, b) else NA,
    estimate = if (separated) Inf else parts$fit$coef[at],
    std_error = if (separated) NA else parts$fit$std_error[at]
  )
}

# ---- interval ends ----------------------------------------------------------------------------

# The end of {b : statistic(b) <= quantile} on one side of the estimate (side -1 or +1), as a root
# of f = sqrt(statistic) - z in units of the standard error from the estimate: uniroot inside a
# bracket, then chords of a central difference, keeping the smallest |f|.
interval_end <- function(profile, statistic, side, level) {
  if (is.infinite(profile$estimate)) {
    if (side > 0) return(list(end = Inf, residual = 0))
    origin <- 10 # well inside: the statistics of a separated coefficient are near 0 there
    unit <- 1
  } else {
    origin <- profile$estimate
    unit <- profile$std_error
  }
  z <- sqrt(qchisq(level, 1))
  value <- function(s) origin + side * s * unit
  f <- function(s) sqrt(max(0, profile[[statistic]](value(s)))) - z
  outer <- 1
  while (f(outer) < 0) {
    outer <- 1.3 * outer
    if (outer > 1e3) stop("no crossing found")
  }
  s <- uniroot(f, c(outer / 1.5, outer), extendInt = "upX", tol = 1e-13)$root
  slope <- (f(s + 1e-4) - f(s - 1e-4)) / 2e-4
  best <- list(end = value(s), residual = abs(f(s)))
  for (polish in 1:4) {
    s <- s - f(s) / slope
    if (abs(f(s)) < best$residual) best <- list(end = value(s), residual = abs(f(s)))
  }
  best
}

interval <- function(profiles, statistic, level) {
  side_of <- function(side) lapply(profiles, interval_end, statistic, side, level)
  lower <- side_of(-1)
  upper <- side_of(1)
  residuals <- vapply(c(lower, upper), `[[`, 0, "residual")
  list(method = statistic, level = level, lower = vapply(lower, `[[`, 0, "end"),
       upper = vapply(upper, `[[`, 0, "end"), largest_residual = max(residuals))
}

# ---- cross-checks against glm and confint -----------------------------------------------------

glm_of <- function(case) {
  used <- case$trials * case$weights
  suppressWarnings(glm.fit(case$X, case$y / case$trials, weights = used, offset = case$offset,
                           family = binomial(), control = list(epsilon = 1e-14, maxit = 100)))
}

# The largest distance to glm's coefficients, in standard errors; confint's ends come from a
# spline, so that they can confirm a bracket but no digits.
check_glm <- function(case, coef, std_error) {
  distance <- max(abs(glm_of(case)$coefficients - coef) / std_error)
  if (distance > 1e-6) stop(sprintf("%s: glm differs by %.1e", case$name, distance))
}

check_confint <- function(case, reference) {
  frame <- data.frame(case$X)
  names(frame) <- paste0("x", seq_along(case$names))
  frame$share <- case$y / case$trials
  frame$used <- case$trials * case$weights
  frame$shift <- case$offset
  formula <- reformulate(c("0", paste0("x", seq_along(case$names))), "share")
  environment(formula) <- environment()
  fit <- suppressWarnings(glm(formula, binomial, frame, weights = used, offset = shift,
                              epsilon = 1e-12))
  ends <- suppressMessages(suppressWarnings(confint(fit)))
  distance <- max(abs(ends - cbind(reference$lower, reference$upper)) / sqrt(diag(vcov(fit))))
  if (!is.finite(distance) || distance > 5e-3) {
    stop(sprintf("%s: confint differs by %.1e standard errors", case$name, distance))
  }
  distance
}

# ---- one data set -----------------------------------------------------------------------------

statistics_at <- function(profiles, values) {
  of <- function(method) mapply(function(profile, b) profile[[method]](b), profiles, values)
  list(null = values, wald = of("wald"), lr = of("lr"), score = of("score"))
}

# All coefficients but the intercept, together, at 0.
joint_tests <- function(case, parts) {
  tested <- setdiff(seq_along(case$names), match("(Intercept)", case$names))
  C <- diag(length(case$names))[, tested, drop = FALSE]
  start <- list(t = numeric(length(case$names)))
  eta <- restricted_fit(parts$whole, start, C, numeric(length(tested)))$eta
  wald <- if (is.null(case$separated)) wald_statistic(parts$fit, C, 0) else NA
  list(names = I(case$names[tested]), df = length(tested), wald = wald,
       lr = lr_statistic(parts$whole, parts$top, eta), score = score_statistic(parts$whole, eta))
}

# A null value about 1.3 standard errors below the estimate, with few digits.
other_null <- function(profile) {
  if (is.infinite(profile$estimate)) 1 else signif(profile$estimate - 1.3 * profile$std_error, 3)
}

estimates <- function(case, parts) {
  p <- length(case$names)
  if (is.null(case$separated)) {
    fit <- parts$fit
    return(list(coef = fit$coef, std_error = fit$std_error, vcov = fit$vcov,
                loglik = sum(parts$top), deviance = deviance_of(case, fit$eta)))
  }
  coef <- rep(Inf, p)
  coef[parts$keep] <- parts$fit$coef
  limit <- rep(NA_real_, p)
  limit[parts$keep] <- parts$fit$std_error
  list(coef = coef, std_error = rep(NA_real_, p), vcov = NULL, limit_std_error = limit,
       loglik = sum(parts$top), deviance = deviance_of(case, parts$eta))
}

reference <- function(case) {
  separated <- !is.null(case$separated)
  if (!separated) case$start <- glm_of(case)$coefficients
  parts <- split_case(case)
  profiles <- lapply(seq_along(case$names), function(j) profile_of(parts, j))
  intervals <- list(interval(profiles, "lr", 0.95), interval(profiles, "lr", 0.99),
                    interval(profiles, "score", 0.95))
  spline <- NA
  if (!separated) {
    check_glm(case, parts$fit$coef, parts$fit$std_error)
    spline <- check_confint(case, intervals[[1]])
  }
  worst <- max(vapply(intervals, `[[`, 0, "largest_residual"))
  cat(sprintf("%-16s n %5d  p %2d  largest |f| %.1e  confint within %.1e se\n",
              case$name, nrow(case$X), ncol(case$X), worst, spline))
  tests <- list(statistics_at(profiles, numeric(length(profiles))),
                statistics_at(profiles, vapply(profiles, other_null, 0)))
  c(estimates(case, parts),
    list(tests = tests, joint = joint_tests(case, parts), intervals = intervals))
}

write_reference <- function(case) {
  given <- function(field, default) if (all(case[[field]] == default)) NULL else case[[field]]
  head <- list(name = case$name, source = case$source, made_with = versions(),
               names = I(case$names), X = case$X, y = case$y, trials = given("trials", 1),
               weights = given("weights", 1), offset = given("offset", 0))
  write_json(c(head, reference(case)), paste0(case$name, ".json"))
}

versions <- function() {
  packages <- c("MASS", "boot", "brglm2", "survival")
  c(list(R = paste(R.version$major, R.version$minor, sep = ".")),
    sapply(packages, function(package) as.character(packageVersion(package)), simplify = FALSE))
}

# ---- the data sets ----------------------------------------------------------------------------

source("cases.R")
for (one in cases()) write_reference(one)
