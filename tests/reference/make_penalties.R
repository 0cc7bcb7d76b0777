# Reference numbers for penalised fits, beside those of make_references.R.
#
#   Rscript make_penalties.R                (in this folder; writes penalties/*.json)
#
# Needs MASS, boot, brglm2 and survival. Firth's estimates and their standard errors are brglm2's
# (type "AS_mean": adjusted scores for mean bias, which for a logistic regression are the
# derivatives of l + log|I|/2), iterated to rounding; they stop the script where the adjusted score
# written out here is not zero. The log-F estimates are glm's on the rows with a pseudo-case for
# each penalised coefficient written under them.

source("json.R")
source("cases.R")
library(brglm2)

used_rows <- function(case) {
  kept <- case$weights > 0
  list(X = case$X[kept, , drop = FALSE], share = (case$y / case$trials)[kept],
       used = (case$trials * case$weights)[kept], offset = case$offset[kept])
}

adjusted_score <- function(data, coef) {
  mu <- plogis(drop(data$X %*% coef) + data$offset)
  w <- data$used * mu * (1 - mu)
  h <- w * rowSums((data$X %*% solve(crossprod(data$X, w * data$X))) * data$X)
  drop(crossprod(data$X, data$used * (data$share - mu) + h * (0.5 - mu)))
}

# brglm2 counts rows of weight 0 in nothing but its output, and needs columns of like size to
# iterate to rounding: X is centred and scaled, but for a constant column, and coefficients go back.
firth_reference <- function(case, columns = FALSE) {
  data <- used_rows(case)
  p <- ncol(data$X)
  centre <- colMeans(data$X)
  centre[1] <- 0
  size <- c(1, apply(data$X[, -1, drop = FALSE], 2, sd))
  Z <- sweep(sweep(data$X, 2, centre), 2, size, "/")
  back <- diag(1 / size, p)
  back[1, ] <- back[1, ] - centre / size
  back[1, 1] <- 1
  fit <- suppressWarnings(
    glm(data$share ~ 0 + Z, binomial, weights = data$used, offset = data$offset,
        method = "brglmFit", type = "AS_mean", epsilon = 1e-13, maxit = 5000))
  coef <- drop(back %*% coef(fit))
  vcov <- back %*% vcov(fit) %*% t(back)
  std_error <- sqrt(diag(vcov))
  # What a Newton step from here would still change, in standard errors.
  left <- max(abs(vcov %*% adjusted_score(data, coef)) / std_error)
  stopifnot(left < 1e-9)
  given <- if (columns) case[c("X", "y", "trials", "weights", "offset")] else NULL
  c(list(name = case$name), given,
    list(coef = coef, std_error = std_error, largest_residual = left))
}

# log-F(m, m) priors: a row with 1 in one column and 0 in the rest, m cases, half of them successes.
log_f_reference <- function(case, m) {
  data <- used_rows(case)
  p <- ncol(data$X)
  priors <- which(m > 0)
  X <- rbind(data$X, diag(p)[priors, , drop = FALSE])
  share <- c(data$share, rep(0.5, length(priors)))
  used <- c(data$used, m[priors])
  offset <- c(data$offset, rep(0, length(priors)))
  once <- function(start = NULL) {
    suppressWarnings(glm(share ~ 0 + X, binomial, weights = used, offset = offset, start = start,
                         control = list(epsilon = 1e-16, maxit = 50)))
  }
  fit <- once(coef(once()))
  fit <- once(coef(fit))
  list(m = m, coef = unname(coef(fit)), std_error = unname(sqrt(diag(vcov(fit)))))
}

hard <- function(name, X, y, trials = 1) {
  list(name = name, X = cbind(1, X), y = y + 0, trials = rep_len(trials, nrow(X)),
       weights = rep(1, nrow(X)), offset = rep(0, nrow(X)))
}

# Numbers of few digits, so that other programs have the very same.
drawn <- function(seed, n, p) {
  set.seed(seed)
  round(matrix(rnorm(n * p), n, p), 2)
}

hard_cases <- function() {
  few <- drawn(1, 30, 3)
  wide <- drawn(2, 76, 9)
  apart <- drawn(3, 25, 2)
  list(
    hard("two_events", few, seq_len(30) %in% order(few[, 1])[c(20, 27)]),
    hard("ten_columns", wide,
         drop(plogis(wide %*% seq(-1, 1, length.out = 9)) > drawn(4, 76, 1) / 4 + 0.5)),
    hard("complete", apart, apart[, 1] + 0.5 * apart[, 2] > 0.1)
  )
}

every <- cases()
names(every) <- sapply(every, `[[`, "name")
versions <- list(R = paste(R.version$major, R.version$minor, sep = "."),
                 brglm2 = as.character(packageVersion("brglm2")))
dir.create("penalties", showWarnings = FALSE)
chosen <- every[c("endometrial", "birthwt", "urine", "nodal", "menarche", "infert_weighted",
                  "menarche_offset", "budworm_mixed")]
write_json(list(made_with = versions,
                known = lapply(unname(chosen), firth_reference),
                hard = lapply(hard_cases(), firth_reference, columns = TRUE)),
           file.path("penalties", "firth.json"))
write_json(list(made_with = versions,
                endometrial = lapply(list(c(0, 1, 1, 1), c(0, 2, 2, 2), c(0, 2, 0, 0.5)),
                                     function(m) log_f_reference(every$endometrial, m)),
                budworm_mixed = list(log_f_reference(every$budworm_mixed, c(0, 1.5, 1.5)))),
           file.path("penalties", "log_f.json"))
