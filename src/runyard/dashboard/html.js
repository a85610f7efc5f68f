/** The template tag of every component: text in it becomes text nodes, never markup. */
import htm from "htm";
import { h } from "preact";

export const html = htm.bind(h);
