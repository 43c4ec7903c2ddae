import "@patternfly/react-core/dist/styles/base.css";
import "./page.css";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { learnZone } from "./text";
import { followTheme } from "./theme";

followTheme();
document.documentElement.lang = (cockpit.language ?? "en").replace("_", "-");
void learnZone();
const page = document.getElementById("page");
if (page) createRoot(page).render(<App />);
